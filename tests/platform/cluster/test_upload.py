"""What is packed is what is shown, and a secret is in neither."""

import zipfile
from pathlib import Path

import pytest

from trivium.platform.cluster.upload import plan_upload
from trivium.platform.errors import UserError

PRIVATE_KEY = "-----BEGIN " + "OPENSSH PRIVATE KEY-----\nabc\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder as people have it."""
    files = {
        "job.yaml": "dataset: {source: data/train.csv}\n",
        "my_models.py": "class Net: ...\n",
        "credentials.py": "def login(): ...\n",
        "data/train.csv": "a,b\n1,2\n" * 100,
        "data/old.csv": "a,b\n",
        ".gitignore": "data/\n",
        ".env": "AWS_SECRET_ACCESS_KEY=abc\n",
        "deploy.pem": "x",
        "notes/id_ed25519": "x",
        "notes/work_key": PRIVATE_KEY,
        ".aws/credentials": "x",
        "service-account.json": "{}",
        ".git/HEAD": "ref: x",
        ".venv/bin/python": "x" * 1000,
        "runs/digits-1/run.json": "{}",
        "old-runs/digits-1/run.json": "{}",
        "__pycache__/my_models.pyc": "x",
        ".trivium/submitted.jsonl": "{}",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_secrets_the_store_and_what_is_made_anew_stay_here(project: Path) -> None:
    upload = plan_upload(project, stores=[project / "runs"])
    assert sorted(upload.files) == [".gitignore", "credentials.py", "job.yaml", "my_models.py"]
    assert upload.left_out == {
        ".aws/": "secret: credentials",
        ".env": "secret: .env",
        ".git/": "of no use there",
        ".trivium/": "of no use there",
        ".venv/": "of no use there",
        "__pycache__/": "of no use there",
        "data/": ".gitignore",
        "deploy.pem": "secret: keys",
        "notes/id_ed25519": "secret: keys",
        "notes/work_key": "secret: a private key",
        "old-runs/": "a store of runs",
        "runs/": "a store of runs",
        "service-account.json": "secret: credentials",
    }


def test_data_that_the_job_names_goes_along_though_git_ignores_it(project: Path) -> None:
    upload = plan_upload(project, named=[project / "data" / "train.csv"])
    assert "data/train.csv" in upload.files
    assert upload.left_out["data/old.csv"] == ".gitignore"


def test_a_secret_that_the_job_names_is_refused_rather_than_sent(project: Path) -> None:
    with pytest.raises(UserError) as refused:
        plan_upload(project, named=[project / ".env"])
    assert str(refused.value) == (
        f"{project / '.env'}: the job names it, but it looks like a secret (secret: .env), and "
        "those are not uploaded; rename it if it is none"
    )


def test_the_screen_tells_size_largest_files_and_what_is_left_out(project: Path) -> None:
    (project / "weights.bin").write_bytes(b"0" * 2_500_000)
    rows = plan_upload(project, stores=[project / "runs"]).facts()
    assert rows[0] == ("upload", f"{project}: 5 files, 2.5 MB")
    assert rows[1] == ("largest", "weights.bin 2.5 MB, job.yaml 34 B, credentials.py 17 B")
    assert ("left out", ".env (secret: .env)") in rows
    assert ("left out", "deploy.pem, notes/id_ed25519 (secret: keys)") in rows


def test_the_zip_holds_the_list_and_nothing_else(project: Path, tmp_path: Path) -> None:
    upload = plan_upload(project)
    upload.pack(project.parent / "a.zip")
    upload.pack(project.parent / "b.zip")
    with zipfile.ZipFile(project.parent / "a.zip") as packed:
        assert sorted(packed.namelist()) == sorted(upload.files)
        assert packed.read("job.yaml") == (project / "job.yaml").read_bytes()
    same = (project.parent / "a.zip").read_bytes() == (project.parent / "b.zip").read_bytes()
    assert same, "else Ray would upload an unchanged folder again"


def test_too_large_an_upload_names_its_size_and_the_culprits(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trivium.platform.cluster.upload.LIMIT_BYTES", 1_000_000)
    (project / "weights.bin").write_bytes(b"0" * 2_500_000)
    with pytest.raises(UserError) as refused:
        plan_upload(project, stores=[project / "runs"]).check()
    assert str(refused.value) == (
        f"{project}: 2.5 MB to upload, Ray takes at most 1.0 MB; largest: weights.bin 2.5 MB, "
        "job.yaml 34 B, credentials.py 17 B, my_models.py 15 B, .gitignore 6 B. Name what is not "
        f"needed in {project / '.rayignore'}, and keep data on a shared disk or s3://"
    )
