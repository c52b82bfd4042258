"""All moving parts of a cluster, put together."""

from __future__ import annotations

from kubepane_embedded.controllers.apiserver_service import ApiServerService
from kubepane_embedded.controllers.autoscaler import HpaController
from kubepane_embedded.controllers.budgets import DisruptionController
from kubepane_embedded.controllers.cronjobs import CronJobController
from kubepane_embedded.controllers.daemonsets import DaemonSetController
from kubepane_embedded.controllers.deployments import DeploymentController
from kubepane_embedded.controllers.endpoints import EndpointsController
from kubepane_embedded.controllers.endpointslices import EndpointSliceController
from kubepane_embedded.controllers.expiry import EventExpiry
from kubepane_embedded.controllers.garbage import GarbageCollector
from kubepane_embedded.controllers.ingresses import IngressController
from kubepane_embedded.controllers.job_ttl import TtlAfterFinishedController
from kubepane_embedded.controllers.jobs import JobController
from kubepane_embedded.controllers.mirroring import MirroringController
from kubepane_embedded.controllers.namespace_furniture import FurnitureController
from kubepane_embedded.controllers.namespaces import NamespaceController
from kubepane_embedded.controllers.nodelifecycle import NodeLifecycle
from kubepane_embedded.controllers.podgc import PodGarbageCollector
from kubepane_embedded.controllers.protection import ClaimProtection, VolumeProtection
from kubepane_embedded.controllers.provisioner import ExternalProvisioner
from kubepane_embedded.controllers.quotas import QuotaController
from kubepane_embedded.controllers.replicasets import ReplicaSetController
from kubepane_embedded.controllers.statefulsets import StatefulSetController
from kubepane_embedded.controllers.tainteviction import TaintEviction
from kubepane_embedded.controllers.volumes import PersistentVolumeController
from kubepane_embedded.core import Core
from kubepane_embedded.kubelet.kubelets import Kubelets
from kubepane_embedded.kubelet.logbook import Logbook
from kubepane_embedded.load.demand import Demand
from kubepane_embedded.load.metrics import Metrics
from kubepane_embedded.load.sessions import Sessions
from kubepane_embedded.load.usage import Usage
from kubepane_embedded.parts import Part, Parts
from kubepane_embedded.scheduler.scheduler import Scheduler

CONTROLLERS = (
    NamespaceController,
    GarbageCollector,
    NodeLifecycle,
    TaintEviction,
    PodGarbageCollector,
    DeploymentController,
    ReplicaSetController,
    StatefulSetController,
    DaemonSetController,
    JobController,
    TtlAfterFinishedController,
    CronJobController,
    EndpointSliceController,
    EndpointsController,
    MirroringController,
    PersistentVolumeController,
    ExternalProvisioner,
    ClaimProtection,
    VolumeProtection,
    DisruptionController,
    QuotaController,
    IngressController,
    FurnitureController,
    ApiServerService,
    EventExpiry,
)


def everything(core: Core) -> Parts:
    """The parts of a whole cluster; see `parts.Assembly`."""
    logbook = Logbook(core.clock)
    demand = Demand(core)
    usage = Usage(core, demand)
    kubelets = Kubelets(core, logbook, usage.memory)
    metrics = Metrics(core, usage)
    controllers: list[Part] = [make(core) for make in CONTROLLERS]
    load: list[Part] = [demand, usage, Sessions(core, demand, logbook.write), metrics]
    return Parts([*controllers, HpaController(core, metrics), Scheduler(core), kubelets, *load], kubelets, metrics)
