"""One good object of each kind that random calls are made of, with enough in it to be spoilt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]
LABELS = {"app": "a"}
CONTAINER: Object = {
    "name": "c",
    "image": "registry.example/app:1",
    "command": ["run"],
    "args": ["--fast"],
    "ports": [{"name": "http", "containerPort": 8080}],
    "env": [{"name": "A", "value": "1"}, {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
    "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
    "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 5},
    "livenessProbe": {"tcpSocket": {"port": 8080}},
    "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
}
POD: Object = {
    "containers": [CONTAINER],
    "initContainers": [{"name": "i", "image": "registry.example/init"}],
    "volumes": [{"name": "tmp", "emptyDir": {}}],
    "tolerations": [{"key": "t", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 30}],
    "nodeSelector": {"disk": "ssd"},
    "affinity": {
        "podAntiAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": 10, "podAffinityTerm": {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": LABELS}}}
            ]
        }
    },
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {"matchLabels": LABELS}}
    ],
}
TEMPLATE: Object = {"metadata": {"labels": LABELS}, "spec": POD}
FINITE: Object = {"metadata": {"labels": LABELS}, "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox"}]}}
SELECTOR: Object = {"matchLabels": LABELS}
WORKLOAD: Object = {"replicas": 2, "selector": SELECTOR, "template": TEMPLATE}
CLAIM: Object = {"accessModes": ["ReadWriteOnce"], "storageClassName": "fast", "resources": {"requests": {"storage": "1Gi"}}}
BACKEND: Object = {"service": {"name": "s", "port": {"number": 80}}}
RBAC = "rbac.authorization.k8s.io"


@dataclass(frozen=True, slots=True)
class Sample:
    """A kind's place in the API, and an object of it without a name."""

    api_version: str
    kind: str
    plural: str
    body: Object
    namespaced: bool = True
    status: Object | None = None
    scale: bool = False

    def collection(self, namespace: str) -> str:
        """The path of its list."""
        base = f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"
        return f"{base}/namespaces/{namespace}/{self.plural}" if self.namespaced else f"{base}/{self.plural}"

    def named(self, name: str) -> Object:
        """The object with its type and name."""
        return {"apiVersion": self.api_version, "kind": self.kind, "metadata": {"name": name, "labels": LABELS}, **self.body}


SAMPLES = (
    Sample("v1", "ConfigMap", "configmaps", {"data": {"a": "1", "b": "2"}, "binaryData": {"c": "AAE="}}),
    Sample("v1", "Secret", "secrets", {"type": "Opaque", "data": {"a": "AAE="}, "stringData": {"b": "text"}}),
    Sample("v1", "ServiceAccount", "serviceaccounts", {"automountServiceAccountToken": False, "imagePullSecrets": [{"name": "s"}]}),
    Sample(
        "v1",
        "Service",
        "services",
        {
            "spec": {
                "selector": LABELS,
                "ports": [{"name": "http", "port": 80, "targetPort": "http"}, {"name": "x", "port": 81, "protocol": "UDP"}],
                "sessionAffinity": "ClientIP",
            }
        },
    ),
    Sample("v1", "Pod", "pods", {"spec": POD}, status={"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}),
    Sample("v1", "PersistentVolumeClaim", "persistentvolumeclaims", {"spec": CLAIM}, status={"phase": "Lost"}),
    Sample("v1", "Endpoints", "endpoints", {"subsets": [{"addresses": [{"ip": "10.1.2.3"}], "ports": [{"port": 80}]}]}),
    Sample("v1", "Event", "events", {"involvedObject": {"kind": "Pod", "name": "p"}, "reason": "R", "message": "m", "type": "Normal"}),
    Sample("apps/v1", "Deployment", "deployments", {"spec": WORKLOAD}, status={"replicas": 1, "observedGeneration": 1}, scale=True),
    Sample("apps/v1", "ReplicaSet", "replicasets", {"spec": WORKLOAD}, status={"replicas": 1}, scale=True),
    Sample(
        "apps/v1",
        "StatefulSet",
        "statefulsets",
        {"spec": {**WORKLOAD, "serviceName": "s", "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": CLAIM}]}},
        status={"replicas": 1, "readyReplicas": 1},
        scale=True,
    ),
    Sample(
        "apps/v1",
        "DaemonSet",
        "daemonsets",
        {
            "spec": {
                "selector": SELECTOR,
                "template": TEMPLATE,
                "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "30%"}},
            }
        },
        status={"currentNumberScheduled": 1, "numberMisscheduled": 0, "desiredNumberScheduled": 1, "numberReady": 1},
    ),
    Sample("batch/v1", "Job", "jobs", {"spec": {"parallelism": 2, "completions": 3, "backoffLimit": 1, "template": FINITE}}, status={"active": 1}),
    Sample("batch/v1", "CronJob", "cronjobs", {"spec": {"schedule": "*/5 * * * *", "jobTemplate": {"spec": {"template": FINITE}}}}),
    Sample(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
        {
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"},
                "minReplicas": 2,
                "maxReplicas": 5,
                "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}}}],
                "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60, "policies": [{"type": "Pods", "value": 1, "periodSeconds": 30}]}},
            }
        },
        status={"desiredReplicas": 2, "currentReplicas": 1},
    ),
    Sample(
        "networking.k8s.io/v1",
        "Ingress",
        "ingresses",
        {
            "spec": {
                "ingressClassName": "nginx",
                "tls": [{"hosts": ["a.example"], "secretName": "s"}],
                "rules": [{"host": "a.example", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": BACKEND}]}}],
            }
        },
        status={"loadBalancer": {"ingress": [{"ip": "10.9.8.7"}]}},
    ),
    Sample(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        "networkpolicies",
        {
            "spec": {
                "podSelector": SELECTOR,
                "policyTypes": ["Ingress", "Egress"],
                "ingress": [{"from": [{"podSelector": {}}, {"ipBlock": {"cidr": "10.0.0.0/8"}}], "ports": [{"port": 80}]}],
                "egress": [{}],
            }
        },
    ),
    Sample("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", {"spec": {"minAvailable": "50%", "selector": SELECTOR}}),
    Sample(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        "endpointslices",
        {"addressType": "IPv4", "endpoints": [{"addresses": ["10.1.2.3"], "conditions": {"ready": True}}], "ports": [{"name": "http", "port": 80}]},
    ),
    Sample(f"{RBAC}/v1", "Role", "roles", {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}]}),
    Sample(
        f"{RBAC}/v1",
        "RoleBinding",
        "rolebindings",
        {"roleRef": {"apiGroup": RBAC, "kind": "Role", "name": "r"}, "subjects": [{"kind": "ServiceAccount", "name": "x", "namespace": "n"}]},
    ),
    Sample("coordination.k8s.io/v1", "Lease", "leases", {"spec": {"holderIdentity": "me", "leaseDurationSeconds": 15}}),
    Sample(
        "v1",
        "PersistentVolume",
        "persistentvolumes",
        {"spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/data"}, "storageClassName": "fast"}},
        namespaced=False,
        status={"phase": "Failed", "reason": "R"},
    ),
    Sample(
        "storage.k8s.io/v1",
        "StorageClass",
        "storageclasses",
        {"provisioner": "example.com/p", "reclaimPolicy": "Retain", "volumeBindingMode": "WaitForFirstConsumer"},
        namespaced=False,
    ),
    Sample("scheduling.k8s.io/v1", "PriorityClass", "priorityclasses", {"value": 100, "description": "d"}, namespaced=False),
)
