"""Sets made into objects: the same as kubectl makes of them, and a plain word where only kubectl can."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from kubepane_manifests import catalogue, kustomization
from kubepane_manifests.documents import Object, Unbuildable, parse
from manifests.whole import NAMES

KUBECTL = shutil.which("kubectl")
with_kubectl = pytest.mark.skipif(KUBECTL is None, reason="kubectl is not installed")
MAPS = """
apiVersion: v1
kind: ConfigMap
metadata: {name: b, labels: {own: "1"}, annotations: {a: "1"}}
data: {x: "1", y: "2"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
---
"""
WORKLOAD = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      tolerations: [{key: a, operator: Exists}, {key: b, operator: Exists}]
      containers:
        - name: one
          image: x:1
          args: [a, b]
          env: [{name: A, value: "1"}, {name: B, value: "2"}, {name: C, value: "3"}]
          ports: [{name: http, containerPort: 80}, {name: admin, containerPort: 81}]
          resources: {limits: {cpu: "1"}}
          volumeMounts: [{name: v, mountPath: /v}, {name: w, mountPath: /w}]
        - name: two
          image: x:2
      volumes: [{name: v, emptyDir: {}}, {name: w, emptyDir: {}}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80}, {name: admin, port: 81}]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: web}
---
apiVersion: v1
kind: Namespace
metadata: {name: ns}
"""
HEAD = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [all.yaml]\n"
CHANGE = "patches:\n- patch: |\n    apiVersion: apps/v1\n    kind: Deployment\n    metadata: {name: web}\n"


def by_kubectl(folder: Path) -> list[Object]:
    done = subprocess.run([str(KUBECTL), "kustomize", str(folder)], capture_output=True, text=True, timeout=40, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def folder(place: Path, text: str, **more: str) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    for name, content in {kustomization.FILE: text, "all.yaml": MAPS + WORKLOAD, **more}.items():
        (place / name).write_text(content, encoding="utf-8")
    return place


@with_kubectl
@pytest.mark.parametrize("name", NAMES)
def test_every_set_is_what_kubectl_makes_of_it(name: str) -> None:
    one = catalogue.find(name)
    assert one.objects() == by_kubectl(one.folder)


@with_kubectl
@pytest.mark.parametrize(
    "text",
    [
        "namespace: ns\n",
        "labels: [{pairs: {own: '2', more: '3'}}]\n",
        CHANGE + "    spec: {replicas: 3, paused: true}\n",
        CHANGE + "    spec: {replicas: null, selector: {matchLabels: null}}\n",
        CHANGE + "    spec: {template: {spec: {tolerations: [{key: c, operator: Exists}]}}}\n",
        CHANGE + "    spec: {template: {spec: {containers: [{name: two, image: 'x:3', args: [c]}, {name: three, image: 'x:4'}]}}}\n",
        CHANGE + "    spec: {template: {spec: {containers: [{name: one, args: [c], env: [{name: B, value: '4'}, {name: D, value: '5'}]}]}}}\n",
        CHANGE + "    spec: {template: {spec: {containers: [{name: one, ports: [{containerPort: 81, name: other}]}]}}}\n",
        CHANGE + "    spec: {template: {spec: {containers: [{name: one, volumeMounts: [{mountPath: /w, name: v}]}]}}}\n",
        CHANGE + "    spec: {template: {spec: {containers: [{name: one, resources: {limits: {cpu: null, memory: 1Gi}}}]}}}\n",
        CHANGE + "    spec: {template: {spec: {containers: [{name: two, $patch: delete}], volumes: [{name: w, $patch: delete}]}}}\n",
        CHANGE + "    spec: {template: {metadata: {$patch: replace, annotations: {a: b}}}}\n",
        CHANGE + "    $patch: delete\n",
        "patches:\n- patch: |\n    apiVersion: v1\n    kind: Service\n    metadata: {name: web}\n    spec: {ports: [{port: 81, name: x}]}\n",
        "patches:\n- target: {kind: ConfigMap, name: b}\n  patch: |\n    - {op: remove, path: /data/x}\n    - {op: add, path: /data/z, value: '2026-01-02'}\n",
        "patches:\n- target: {kind: ConfigMap}\n  patch: |\n    - {op: add, path: /immutable, value: true}\n",
        "patches:\n- target: {kind: Deployment, name: web}\n  patch: |\n    - {op: remove, path: /spec/template/spec/containers/0/ports/1}\n",
        "patches:\n- path: change.yaml\n",
    ],
)  # fmt: skip
def test_every_field_does_what_kubectl_does(tmp_path: Path, text: str) -> None:
    change = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {k: v}}\n---\n{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {type: NodePort}}\n"
    place = folder(tmp_path, HEAD + text, **{"change.yaml": change})
    before = kustomization.build(folder(tmp_path / "plain", HEAD))
    assert kustomization.build(place) == by_kubectl(place) != before


@with_kubectl
def test_bases_are_patched_by_their_overlays(tmp_path: Path) -> None:
    folder(tmp_path / "base", HEAD + "namespace: one\nlabels: [{pairs: {a: base}}]\n")
    above = HEAD.replace("all.yaml", "../base") + "namespace: two\nlabels: [{pairs: {a: top}}]\n" + CHANGE + "    spec: {replicas: 5}\n"
    top = folder(tmp_path / "top", above)
    assert kustomization.build(top) == by_kubectl(top)
    assert [p.relative_to(tmp_path).as_posix() for p in kustomization.files(top)] == [
        "top/kustomization.yaml",
        "base/kustomization.yaml",
        "base/all.yaml",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD + "namePrefix: x-\n", "namePrefix: only kubectl kustomize can build this"),
        (HEAD + "labels: [{pairs: {a: b}, includeSelectors: true}]\n", "includeSelectors of labels: only kubectl"),
        (HEAD + "patches: [{target: {labelSelector: a=b}, patch: '[]'}]\n", "labelSelector of a patch: only kubectl"),
        (HEAD + "patches: [{target: {kind: Pod, name: p}, patch: '[{op: test, path: /a, value: 1}]'}]\n", "there is no Pod p to patch"),
        (HEAD + "patches: [{target: {kind: ConfigMap, name: a}, patch: '[{op: remove, path: /nothing}]'}]\n", "ConfigMap a: "),
        (HEAD.replace("all.yaml", "https://example.com/all.yaml"), "https://example.com/all.yaml: only kubectl kustomize fetches"),
        (HEAD.replace("all.yaml", "other.yaml"), "other.yaml is not there"),
        (HEAD.replace("all.yaml", "../outside.yaml"), "../outside.yaml is outside of its folder"),
        (HEAD.replace("all.yaml", "."), "is a resource of itself"),
        (HEAD.replace("all.yaml", "all.yaml, all.yaml"), "ConfigMap b is there twice"),
        (HEAD.replace("all.yaml", "list.yaml"), "a document is no Kubernetes object"),
        (HEAD.replace("all.yaml", "broken.yaml"), "broken.yaml: while parsing"),
        ("[]", "not one document with fields"),
        ("a: b\n---\na: b\n", "not one document with fields"),
    ],
)  # fmt: skip
def test_what_it_cannot_do_is_said(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "outside.yaml").write_text(MAPS, encoding="utf-8")
    place = folder(tmp_path / "set", text, **{"list.yaml": "- a\n", "broken.yaml": "a: [\n"})
    with pytest.raises(Unbuildable) as error:
        kustomization.build(place)
    assert said in str(error.value)


def test_dates_stay_text_as_in_kubernetes() -> None:
    assert parse("{a: 2026-01-02, b: yes, c: 010, d: ~}\n---\n---\n", Path("x.yaml")) == [{"a": "2026-01-02", "b": True, "c": 8, "d": None}]


def test_a_folder_without_a_kustomization(tmp_path: Path) -> None:
    with pytest.raises(Unbuildable, match=r"kustomization\.yaml"):
        kustomization.build(tmp_path)
