"""The table of actions: every verb of the screens once. Bindings, footer, help and the command palette all come from it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Action:
    """One thing a user can do.

    Attributes:
        name: the action's name; a screen runs it in its method `action_<name>`.
        keys: Textual's names of its keys, the first is the one shown; none for what only the palette has.
        label: one word or two for the footer.
        title: a line for help and palette.
        group: its heading in the help.
        rank: its place in the footer, 1 first; 0 is not shown there.
        panes: names of the panes on whose rows it acts; empty for anywhere.
        needs: (verb, resource) that RBAC must allow, None for nothing.
        subresource: of the resource in `needs`.
        verb: the change that it begins, a key of `acting.verbs.VERBS`; "" for what changes nothing.
    """

    name: str
    keys: tuple[str, ...]
    label: str
    title: str
    group: str
    rank: int = 0
    panes: tuple[str, ...] = ()
    needs: tuple[str, str] | None = None
    subresource: str = ""
    verb: str = ""

    @property
    def key(self) -> str:
        """The key as a user reads it: `⏎`, `^l`, `?`."""
        return KEY_TEXT.get(self.keys[0], self.keys[0].replace("ctrl+", "^")) if self.keys else ""


KEY_TEXT = {
    "enter": "⏎", "slash": "/", "question_mark": "?", "escape": "Esc", "tab": "Tab", "shift+tab": "S-Tab", "colon": ":",
    "exclamation_mark": "!", "space": "Space", "home": "Home", "end": "End", "left": "←", "right": "→", "up": "↑", "down": "↓",
    "pageup": "PgUp", "pagedown": "PgDn",
}  # fmt: skip

WITH_PODS = ("pods", "workloads")
CHANGES: tuple[Action, ...] = (
    Action("scale", ("s",), "scale", "scale: set the number of replicas", "Change", 3, ("workloads", "hpa"), verb="scale"),
    Action("taint", ("t",), "taint", "put a taint on the nodes, with what it would do to pods", "Change", 3, ("nodes",), verb="taint"),
    Action("drain", ("D",), "drain", "keep new pods off the nodes and evict those that they have", "Change", 4, ("nodes",), verb="drain"),
    Action("untaint", ("T",), "untaint", "take a taint off the nodes", "Change", 4, ("nodes",), verb="untaint"),
    Action("cordon", ("C",), "cordon", "keep new pods off the nodes", "Change", 5, ("nodes",), verb="cordon"),
    Action("uncordon", ("U",), "uncordon", "let new pods on the nodes again", "Change", 6, ("nodes",), verb="uncordon"),
    Action("restart", ("r",), "restart", "replace all pods, a few at a time", "Change", 4, ("workloads",), verb="restart"),
    Action("rollback", ("U",), "undo to", "go back to a template from before, diff first", "Change", 5, ("workloads",), verb="undo"),
    Action("pause", ("P",), "pause", "pause or resume the rollout", "Change", 6, ("workloads",), verb="pause"),
    Action("tolerate", ("t",), "tolerate", "add the toleration that the pending pod lacks to its workload", "Change", 4, ("pods",), verb="tolerate"),
    Action("load", ("b",), "load", "start or stop load on the Service behind it", "Change", 7, ("ingress", "hpa", "workloads"), verb="load"),
    Action("delete", ("ctrl+d",), "delete", "delete the object, or those that are marked", "Change", verb="delete"),
    Action("apply", ("a",), "apply", "apply a bundled set of manifests, or a path, diff first", "Change", 5, verb="apply"),
    Action("delete_set", (), "delete set", "delete set: the objects of a bundled set, or of a path", "Change", verb="delete_set"),
    Action("break_off", ("S",), "stop", "send no more of the change that is on its way", "Change"),
    Action("undo_change", ("u",), "undo", "take the last change back", "Change"),
)
FORWARDABLE = ("pods", "workloads", "ingress")
REACH: tuple[Action, ...] = (
    Action("shell", ("s", "x"), "shell", "a shell in a container, with the whole terminal", "Reach", 4, ("pods",), ("create", "pods"), "exec"),
    Action("forward", ("f",), "forward", "forward a port of this machine to the pod", "Reach", 4, FORWARDABLE, ("create", "pods"), "portforward"),
    Action("forwards", ("F",), "forwards", "forwards: the ports that are forwarded, to stop them", "Reach"),
)
DASHBOARD: tuple[Action, ...] = (
    Action("open", ("enter",), "open", "open the object", "Panes", 1),
    Action("pane", ("1", "2", "3", "4", "5", "6", "7", "8"), "pane", "jump to a pane, 1 to 8", "Panes"),
    Action("next_pane", ("tab",), "next", "the next pane", "Panes"),
    Action("previous_pane", ("shift+tab",), "previous", "the pane before", "Panes"),
    Action("zoom", ("z",), "zoom", "this pane on the whole screen, and back", "Panes", 7),
    Action("layout", ("L",), "layout", "next layout: overview, rollout, autoscale, storage, network", "Panes", 8),
    Action("back", ("escape",), "back", "clear the filter, leave the zoom, go back", "Panes"),
    Action("filter", ("slash",), "filter", "filter: text, !not, col:value, cpu>500m, -l app=x", "Lists", 2),
    Action("sort", ("o",), "sort", "sort by a column", "Lists", 6),
    Action("wide", ("w",), "wide", "more columns", "Lists"),
    Action("namespaces", ("n",), "namespace", "choose namespaces", "Lists", 5),
    Action("all_namespaces", ("0",), "all", "all namespaces", "Lists"),
    Action("contexts", ("C",), "context", "switch the context", "Lists"),
    Action("warnings", ("W",), "warnings", "events: warnings only", "Lists", 0, ("events",)),
    Action("follow_events", ("e",), "events", "events follow the selected object and its children", "Lists"),
    Action("summary", ("d",), "summary", "summary and explanation", "Object"),
    Action("why", ("X",), "why", "why it does not work, with the evidence", "Object", 3),
    Action("yaml", ("y",), "yaml", "YAML, fetched fresh, Secrets masked", "Object"),
    Action("logs", ("l",), "logs", "logs", "Object", 4, WITH_PODS, ("get", "pods"), "log"),
    Action("previous_logs", ("p",), "previous", "logs of the container before", "Object", 0, WITH_PODS, ("get", "pods"), "log"),
    Action("its_events", ("E",), "its events", "the object's events", "Object"),
    Action("copy_kubectl", ("K",), "copy", "copy the kubectl command that shows this", "Object"),
    *CHANGES,
    *REACH,
    Action("palette", ("colon",), "commands", "find an action by its name", "Program"),
    Action("journal", ("exclamation_mark",), "log", "what the program did and met", "Program"),
    Action("help", ("question_mark",), "help", "this help", "Program", 9),
    Action("redraw", ("ctrl+l",), "redraw", "draw the screen anew", "Program"),
    Action("quit", ("q", "ctrl+c"), "quit", "quit", "Program"),
)

OBJECT: tuple[Action, ...] = (
    Action("back", ("escape",), "back", "back to the dashboard", "Object", 1),
    Action("summary", ("d",), "summary", "summary and explanation", "Object", 2),
    Action("its_events", ("E",), "events", "events", "Object", 3),
    Action("yaml", ("y",), "yaml", "YAML, fetched fresh, Secrets masked", "Object", 4),
    Action("logs", ("l",), "logs", "logs", "Object", 5),
    Action("related", ("r",), "related", "owners and children", "Object", 6),
    Action("shell", ("s", "x"), "shell", "a shell in a container, with the whole terminal", "Object", 7, (), ("create", "pods"), "exec"),
    Action("next_tab", ("tab",), "next", "the next tab", "Object"),
    Action("previous_tab", ("shift+tab",), "previous", "the tab before", "Object"),
    Action("follow", ("f",), "follow", "logs: follow or hold", "Logs", 7),
    Action("previous_logs", ("p",), "previous", "logs: of the container before, and back", "Logs", 8),
    Action("container", ("c",), "container", "logs: the next container", "Logs", 9),
    Action("search", ("slash",), "search", "search; n and N for the next and the one before", "Text", 10),
    Action("wrap", ("w",), "wrap", "break long lines, or scroll sideways", "Text"),
    Action("refresh", ("f5",), "again", "fetch again", "Text"),
    Action("copy_kubectl", ("K",), "copy", "copy the kubectl command that shows this", "Program"),
    Action("help", ("question_mark",), "help", "this help", "Program", 11),
    Action("redraw", ("ctrl+l",), "redraw", "draw the screen anew", "Program"),
    Action("quit", ("q", "ctrl+c"), "back", "back to the dashboard", "Program"),
)

MOVES: tuple[tuple[str, str], ...] = (
    ("j k ↓ ↑", "down, up"),
    ("PgUp PgDn", "a page"),
    ("g G Home End", "first, last"),
    ("← →", "sideways"),
    ("Space", "mark"),
)
