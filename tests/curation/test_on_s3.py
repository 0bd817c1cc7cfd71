"""DATA, WORK and OUT on an S3-compatible server (moto's, on this machine): the same results as on a local disk."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from command import curate

from curation import measure, stages
from curation.manifest import read_manifest, resolve, verify
from curation.place import RemotePlace, _file_system, place
from curation.rules import Settings

s3fs = pytest.importorskip("s3fs", reason="no s3fs: pip install -e '.[dev]'")
server = pytest.importorskip("moto.server", reason="no moto: pip install -e '.[dev]'")

SECRET = "not-a-real-secret"
OPTIONS = ("--judge", "plain", "--workers", "2")


@dataclass
class Both:
    """The same data set here and there, and what `build-selection --parquet` said of each."""

    here: Path
    there: RemotePlace
    said: tuple[str, str]


@pytest.fixture(scope="module")
def bucket():
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    running = server.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "nobody")
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        _file_system.cache_clear()
        s3fs.S3FileSystem.clear_instance_cache()
        s3fs.S3FileSystem().mkdir("bucket")
        yield place("s3://bucket")
    _file_system.cache_clear()
    s3fs.S3FileSystem.clear_instance_cache()
    running.stop()


def upload(folder: Path, where: RemotePlace) -> None:
    for file in folder.rglob("*"):
        if file.is_file():
            (where / file.relative_to(folder).as_posix()).put(file)


def border() -> str:
    """A pair id between p20 and p21 after which a shard ends, so that there are two."""
    names = (f"p20-{n}" for n in range(10_000))
    return next(
        n
        for n in names
        if not int.from_bytes(hashlib.blake2b(n.encode(), digest_size=4).digest(), "big") % measure.SHARD_MEAN
    )


@pytest.fixture(scope="module")
def both(bucket, planted_data, tmp_path_factory) -> Both:
    here = tmp_path_factory.mktemp("here")
    shutil.copytree(planted_data, here / "pairs")
    for folder in ("images", "labels"):
        shutil.copy(here / "pairs" / folder / "p21.png", here / "pairs" / folder / f"{border()}.png")
    upload(here / "pairs", bucket / "pairs")
    said = [
        curate(
            "build-selection", "--data", f"{base}/pairs", "--work", f"{base}/work", "--out", f"{base}/manifests", "--parquet",
            *OPTIONS, cwd=here,
        )
        for base in (here, bucket)
    ]  # fmt: skip
    return Both(here, bucket, tuple(run.stdout + run.stderr for run in said))


def test_manifests_are_byte_for_byte_those_of_a_local_run(both):
    names = {
        f.relative_to(both.here / "manifests").as_posix() for f in (both.here / "manifests").rglob("*") if f.is_file()
    }
    assert names == set((both.there / "manifests").files()) and len(names) == 7
    for name in names:
        assert (both.here / "manifests" / name).read_bytes() == (both.there / "manifests" / name).read_bytes(), name
    assert len(pd.read_csv(both.here / "manifests/selection2.csv")) > 50
    assert both.said[0].replace(str(both.here), "s3://bucket") == both.said[1]
    assert SECRET not in both.said[1]


def test_tables_are_those_of_a_local_run_and_hold_no_credentials(both):
    there = {f.name: f for f in (both.there / "work").iterdir() if f.suffix == ".parquet"}
    here = {f.name: f for f in (both.here / "work").glob("*.parquet")}
    assert set(here) == set(there)
    for name in sorted(set(here) - {"pairs.parquet"}):  # that one holds times here, checksums there
        pd.testing.assert_frame_equal(pd.read_parquet(here[name]), pd.read_parquet(there[name].open()))
    assert len((both.there / "work/parts").glob("*.parquet")) == 2
    for path in (both.there / "work").files():
        assert SECRET.encode() not in (both.there / "work" / path).read_bytes()
    assert json.loads((both.there / "work/work.json").read_text())["data"] == "s3://bucket/pairs"


def test_a_run_leaves_nothing_in_the_temporary_folder(both, tmp_path):
    work = ("--work", "s3://bucket/work-tmp", "--data", "s3://bucket/pairs")
    curate("group", *work, cwd=both.here, env={**os.environ, "TMPDIR": str(tmp_path)})
    assert (both.there / "work-tmp/groups.parquet").is_file() and not list(tmp_path.iterdir())
    assert "layouts.bin" not in (both.there / "work-tmp").names()


def test_report_explain_and_verify_work_there(both):
    (both.here / "else").mkdir()
    for base in (both.here, both.there):
        curate(
            "report",
            "--work",
            f"{base}/work",
            "--out",
            f"{base}/report.html",
            "--judge",
            "plain",
            cwd=both.here / "else",
        )
        shown = curate("explain", "swapped", "--work", f"{base}/work", cwd=both.here / "else").stdout
        assert "label_error" in shown and f"{base}/pairs/images/swapped.png" in shown.replace("\n", "")
        assert (base / "work/evidence/swapped.png").read_bytes().startswith(b"\x89PNG")
    here, there = (base / "report.html" for base in (both.here, both.there))
    assert here.read_text(encoding="utf-8").replace(str(both.here), "s3://bucket") == there.read_text(encoding="utf-8")
    kept = len(read_manifest(both.there / "manifests/selection2.csv").pairs)
    assert (
        f"{kept} of {kept} pairs are unchanged"
        in curate("verify", "s3://bucket/manifests/selection2.csv", cwd=both.here).stdout
    )


def test_a_manifest_here_of_data_there_names_it_by_url(both, tmp_path):
    said = curate("build-selection", "--work", "s3://bucket/work", "--out", tmp_path / "out", *OPTIONS, cwd=tmp_path)
    assert said.stdout.endswith(f"{tmp_path}/out/selection2.csv\n")
    read = read_manifest(tmp_path / "out/selection2.csv")
    assert read.recipe["data"] == "s3://bucket/pairs" and read.pairs["image"][0].startswith("s3://bucket/pairs/images/")
    assert {wrong for _, wrong in verify(read)} == {None}
    find = resolve(read)
    for path in (
        "s3://bucket/pairs/../secret.png",
        "s3://elsewhere/pairs/images/p00.png",
        "/etc/passwd",
        "s3://bucket/secret.png",
    ):
        with pytest.raises(ValueError, match="lies outside the data set"):
            find(path)


def in_this_process(bucket, name, monkeypatch):
    """A data set of its own there, in small shards, a function that measures it, and the shards that were measured."""
    monkeypatch.setattr(measure, "SHARD_MOST", 16)
    measured = []

    def counted(shard):
        measured.append(shard)
        return measure.measure_shard(shard)

    monkeypatch.setattr(stages, "measure_shard", counted)
    run = stages.Run(workers=1, quiet=True)

    def score():
        measured.clear()
        return stages.score(run, stages.index(run, bucket / f"{name}-work", bucket / name), "none")

    return score, measured


def test_what_changed_is_measured_again_and_nothing_else(bucket, planted_data, tmp_path, monkeypatch):
    upload(planted_data, bucket / "changing")
    score, measured = in_this_process(bucket, "changing", monkeypatch)
    before = score().set_index("pair_id")
    assert len(measured) > 3
    parts = set((bucket / "changing-work/parts").names())
    score()
    assert not measured
    label = bucket / "changing/labels/p07.png"
    label.put(planted_data / "labels/p07.png")  # the same again
    score()
    assert not measured
    changed = label.read_bytes()
    (tmp_path / "p07.png").write_bytes(changed[:-1] + b"\0")  # of the same size
    label.put(tmp_path / "p07.png")
    after = score().set_index("pair_id")
    assert len(measured) == 1 and len(parts ^ set((bucket / "changing-work/parts").names())) == 4
    assert list(before.index[before["sha256_label"] != after["sha256_label"]].drop(["<img onerror=alert(1)>"])) == [
        "p07"
    ]


def test_an_object_that_goes_missing_costs_one_row(bucket, planted_data, monkeypatch):
    upload(planted_data, bucket / "missing")
    score, _ = in_this_process(bucket, "missing", monkeypatch)
    run = stages.Run(workers=1, quiet=True)
    work = stages.index(run, bucket / "missing-work", bucket / "missing")
    (bucket / "missing/images/p09.png").unlink()
    stages.measure(run, work)
    table = pd.concat([p.to_pandas() for p in stages.read_parts((bucket / "missing-work/parts").glob("*.parquet"))])
    errors = table.set_index("pair_id")["error"].dropna()
    assert errors["p09"] == "photo: file does not exist" and len(errors) == 2
    assert score().set_index("pair_id")["error"]["p09"] == "no photo for labels/p09.png"


def test_a_table_of_paths_on_s3(bucket, planted_data, tmp_path):
    upload(planted_data, bucket / "listed")
    rows = [
        "a,images/p00.png,labels/p00.png",
        "b,s3://bucket/listed/images/p01.png,labels/p01.png",
        "c,images/gone.png,labels/p02.png",
        "d,../pairs/images/p03.png,labels/p03.png",
        "e,s3://KEY:hush@elsewhere/p04.png,labels/p04.png",
        "f,/etc/passwd,labels/p04.png",
    ]
    (tmp_path / "pairs.csv").write_text("\n".join(["pair_id,image,label", *rows]))
    (bucket / "listed/pairs.csv").put(tmp_path / "pairs.csv")
    run = stages.Run(workers=1, quiet=True)
    pairs = stages.read_pairs(stages.index(run, bucket / "listed-work", bucket / "listed/pairs.csv"))
    root = stages.index(run, tmp_path / "work", tmp_path / "pairs.csv", root=bucket / "listed")
    assert pairs == stages.read_pairs(root)
    found = {p.pair_id: p for p in pairs}
    assert found["a"].error is found["b"].error is None and found["b"].image == "images/p01.png"
    assert found["a"].image_stat[0] == (planted_data / "images/p00.png").stat().st_size
    assert found["c"].error == "images/gone.png does not exist"
    assert all("lies outside s3://bucket/listed" in found[p].error for p in "def")
    assert not any("hush" in str(p) for p in pairs)


def test_mistakes_are_told_in_one_line(bucket, tmp_path):
    def fails(*arguments):
        run = curate(*arguments, cwd=tmp_path, check=False)
        assert run.returncode == 2 and "Traceback" not in run.stderr and SECRET not in run.stderr
        return " ".join(run.stderr.replace("│", " ").split())

    assert "s3://bucket/nothing does not exist" in fails("index", "s3://bucket/nothing")
    said = fails("build-selection", "--data", "s3://bucket/pairs", "--out", "s3://no-such-bucket/out")
    assert "s3://no-such-bucket/out is no folder that may be written to" in said
    said = fails("index", "s3://KEY:hush@bucket/pairs")
    assert "password" in said and "hush" not in said and "KEY" not in said
    assert not list(tmp_path.iterdir())


def test_selections_nest_there_as_here(both):
    run = stages.Run(workers=1, quiet=True)
    work = stages.index(run, both.there / "work")
    _, selection = stages.build_selection(run, work, both.there / "manifests", Settings(1))
    assert set(selection.kept) > set(read_manifest(both.there / "manifests/selection2.csv").pairs["pair_id"])
    assert not (both.there / "manifests/selection1.parquet").exists()


def test_workers_that_share_nothing_but_the_bucket_do_the_same(both, tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed", reason="no Dask: pip install 'pair-curation[cluster]'")
    from curation.engine.cluster import connected

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(stages, "WORTH_SENDING", 1)  # so few pairs would be compared here
    options = {"n_workers": 2, "threads_per_worker": 1, "host": "127.0.0.1", "dashboard_address": ":0"}
    sent = []
    with distributed.LocalCluster(**options) as cluster, connected(cluster.scheduler_address, 2, print) as workers:
        run = stages.Run(quiet=True, cluster=workers)
        monkeypatch.setattr(workers, "map", lambda f, jobs, send=workers.map: sent.append(f.__name__) or send(f, jobs))
        work = stages.index(run, both.there / "work-far", both.there / "pairs")
        stages.build_selection(run, work, both.there / "manifests-far", Settings(), judge="plain")
    assert {"measure_shard", "judge_part", "describe", "look_up"} <= set(sent)
    for name in ("selection2.csv", "selection2.rejected.csv", "selection2.json"):
        assert (both.there / "manifests-far" / name).read_bytes() == (both.there / "manifests" / name).read_bytes()
    assert not [name for name in (both.there / "work-far").files() if name.startswith("scratch")]
    assert not [folder for folder in tmp_path.iterdir() if folder.name.startswith("pair-curation")]
