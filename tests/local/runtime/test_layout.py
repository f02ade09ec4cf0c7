"""Where a function's parts are taken from: what `sam build` has made, or the sources."""

import json
import os
import time
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from local.errors import LocalError
from local.runtime.layout import Layout, lay_out
from local.template import Template


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A function with a layer that ships as it lies, and one that is built."""
    layer = {"Type": "AWS::Serverless::LayerVersion"}
    resources = {
        "One": {
            "Type": "AWS::Serverless::Function",
            "Properties": {
                "CodeUri": "functions/one",
                "Handler": "app.handler",
                "Layers": [{"Ref": "Plain"}, {"Ref": "Built"}],
            },
        },
        "Plain": {**layer, "Properties": {"ContentUri": "layers/plain"}},
        "Built": {
            **layer,
            "Metadata": {"BuildMethod": "python3.13"},
            "Properties": {"ContentUri": "layers/built"},
        },
    }
    (tmp_path / "template.yaml").write_text(json.dumps({"Resources": resources}))
    for folder in ("functions/one", "layers/plain/python", "layers/built"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "functions/one/app.py").write_text("def handler(event, context): ...")
    (tmp_path / "layers/built/requirements.txt").write_text("# nothing\n")
    return tmp_path


def without_built(project: Path) -> None:
    """Leave the layer that is built out, for those who don't look at it: pip takes its time."""
    text = (project / "template.yaml").read_text().replace(', {"Ref": "Built"}', "")
    (project / "template.yaml").write_text(text)


def sam_build(project: Path) -> Path:
    """What `sam build` leaves: a folder for each function and each layer that it has built."""
    built = project / ".aws-sam" / "build"
    (built / "One").mkdir(parents=True)
    (built / "Built" / "python").mkdir(parents=True)
    (built / "template.yaml").touch()
    return built


def laid_out(project: Path) -> Layout:
    template = Template.read(project / "template.yaml")
    return lay_out(template, root=project, folder=project / "build")["One"]


def test_sources_lie_as_they_are_and_a_layer_is_installed_once(project: Path) -> None:
    said: list[str] = []
    template = Template.read(project / "template.yaml")
    for _ in range(2):
        layout = lay_out(template, root=project, folder=project / "build", say=said.append)["One"]
    built, plain, runtime = layout.path
    assert layout.task == project / "functions/one"
    assert plain == project / "layers/plain/python"  # a later layer comes first
    assert built.parent.parent == project / "build"
    assert said == ["Building the layer Built, once"]
    assert {"awslambdaric", "simplejson"} <= {each.name for each in runtime.iterdir()}
    assert not (runtime / "flashsale").exists()
    (project / "layers/built/requirements.txt").write_text("# something else\n")
    assert laid_out(project).path[0] != built


def test_a_fresh_build_is_used(project: Path) -> None:
    built = sam_build(project)
    layout = laid_out(project)
    assert layout.task == built / "One"
    assert layout.path[:2] == (built / "Built/python", project / "layers/plain/python")


def test_a_build_that_is_older_than_a_source_is_not(project: Path) -> None:
    without_built(project)
    sam_build(project)
    later = time.time() + 5
    os.utime(project / "functions/one/app.py", (later, later))
    assert laid_out(project).task == project / "functions/one"


def test_another_machines_compiled_modules_are_not_used(project: Path) -> None:
    """The rest of the build is."""
    built = sam_build(project)
    python = built / "Built" / "python"
    (python / f"ours{EXTENSION_SUFFIXES[0]}").touch()
    assert laid_out(project).path[0] == python
    (python / "theirs.cpython-313-m68k-linux-gnu.so").touch()
    layout = laid_out(project)
    assert layout.path[0] != python
    assert layout.task == built / "One"


def test_a_layer_that_cannot_be_built_is_named(project: Path) -> None:
    (project / "layers/built/requirements.txt").write_text("not a requirement!\n")
    with pytest.raises(LocalError, match="The layer Built can't be built: ERROR"):
        laid_out(project)
    assert not [each for each in (project / "build").iterdir() if each.name.startswith("Built")]


def test_a_layer_of_another_template_is_named(project: Path) -> None:
    without_built(project)
    arn = "arn:aws:lambda:us-east-1:017000801446:layer:AWSLambdaPowertoolsPythonV3:1"
    text = (project / "template.yaml").read_text().replace('{"Ref": "Plain"}', f'"{arn}"')
    (project / "template.yaml").write_text(text)
    with pytest.raises(LocalError, match=f"The layer {arn} is not of this template"):
        laid_out(project)
