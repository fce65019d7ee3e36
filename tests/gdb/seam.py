# Teaches gdb seam's structs: `source tests/gdb/seam.py`.
#
#   print *f              a fault as its sentence; statuses by name
#   print value, bytes    what they hold, not where
#   print *node, postings a graph's node, a posting list's block
#   seam-page ADDRESS     a B+tree page: its head, and the keys of its slots
#
# Offsets are asked of the program (the enum constants of oltp/page.h), so that they are those of the program that is
# being debugged and not of the day on which this was written.
import gdb

SHOWN = 48  # bytes of a slice


def constant(name):
    return int(gdb.parse_and_eval(name))


def held(address, size):
    """Up to SHOWN bytes of memory, as text where they are text."""
    if int(address) == 0:
        return "absent"
    n = min(int(size), SHOWN)
    data = bytes(gdb.selected_inferior().read_memory(int(address), n)) if n else b""
    text = repr(data.decode()) if data.isascii() and data.decode().isprintable() else data.hex(" ")
    return text + (" ..." if int(size) > n else "")


class Fault:
    def __init__(self, v):
        self.v = v

    def to_string(self):
        v = self.v
        if int(v["status"]) == 0:
            return "no fault"
        at = int(v["at"])
        where = v["where"].string() + ("" if at == 2**64 - 1 else ": %d" % at)
        return "%s: %s: %s" % (v["status"], where, v["why"].string())


class Slice:
    def __init__(self, v):
        self.v = v

    def to_string(self):
        failed = any(f.name == "failed" for f in self.v.type.fields()) and bool(self.v["failed"])
        return "%d bytes: %s%s" % (int(self.v["size"]), held(self.v["data"], self.v["size"]),
                                   " (an append FAILED: not what was asked for)" if failed else "")


class Value:
    def __init__(self, v):
        self.v = v

    def to_string(self):
        v, kind = self.v, int(self.v["type"])
        if kind == constant("SEAM_V_NULL"):
            return "null"
        if kind == constant("SEAM_V_TEXT"):
            return "text " + held(v["s"], v["len"])
        if kind == constant("SEAM_V_DOUBLE"):
            return "double %r" % float(v["d"])
        if kind == constant("SEAM_V_DECIMAL"):
            return "decimal %d e-%d" % (int(v["i"]), int(v["scale"]))
        names = {constant("SEAM_V_INT"): "int", constant("SEAM_V_BOOL"): "bool", constant("SEAM_V_TIME"): "time us"}
        return "%s %d" % (names.get(kind, "type %d" % kind), int(v["i"]))


class Node:
    def __init__(self, v):
        self.v = v

    def to_string(self):
        v = self.v
        death = int(v["death"])
        return "node key %d level %d, alive from LSN %d%s" % (
            int(v["key"]), int(v["level"]), int(v["birth"]), "" if death == 2**64 - 1 else " to %d" % death)


class Postings:
    def __init__(self, v):
        self.v = v

    def to_string(self):
        v, block = self.v, int(self.v["block"])
        where = "none decoded" if block == 2**32 - 1 else "block %d of %d decoded, %d postings" % (
            block, int(v["blocks"]), int(v["n"]))
        return "postings of %d documents, %s" % (int(v["df"]), where)


PRINTERS = {
    "seam_fault": Fault, "wal_bytes": Slice, "seam_buf": Slice, "seam_value": Value,
    "hnsw_node": Node, "invidx_postings": Postings,
}


def lookup(v):
    found = PRINTERS.get(v.type.strip_typedefs().tag)
    return found(v) if found else None


def at(memory, name, size):
    offset = constant(name)
    return int.from_bytes(memory[offset:offset + size], "little")


class Page(gdb.Command):
    """seam-page ADDRESS: the head of a B+tree page and the keys of its slots."""

    def __init__(self):
        super().__init__("seam-page", gdb.COMMAND_DATA)

    def invoke(self, arg, from_tty):
        size = constant("OLTP_PAGE_SIZE")
        p = bytes(gdb.selected_inferior().read_memory(int(gdb.parse_and_eval(arg)), size))
        kinds = {constant("PAGE_" + k): k.lower() for k in ("META", "LEAF", "INNER", "OVERFLOW", "BLOB")}
        kind = kinds.get(at(p, "PAGE_KIND", 1), "no kind of ours")
        count, prefix = at(p, "PAGE_COUNT", 2), at(p, "PAGE_PREFIX", 2)
        print("page %d of file %016x: %s, level %d, tree %d, epoch %d, LSN %d" % (
            at(p, "PAGE_ID", 4), at(p, "PAGE_FILE_ID", 8), kind, at(p, "PAGE_LEVEL", 1), at(p, "PAGE_TREE", 4),
            at(p, "PAGE_EPOCH", 8), at(p, "PAGE_LSN", 8)))
        if kind not in ("leaf", "inner"):
            return
        body = constant("PAGE_HEADER_SIZE")
        print("%d keys, all with the prefix %s; cells from %d on, %d bytes of garbage" % (
            count, held_bytes(p[body:body + prefix]), at(p, "PAGE_HEAP", 2), at(p, "PAGE_GARBAGE", 2)))
        heads = (body + prefix + 3) & ~3
        for i in range(count):
            head = int.from_bytes(p[heads + 4 * i:heads + 4 * i + 4], "little")
            slot = heads + 4 * count + 2 * i
            print("  %3d  head %08x  cell at %d" % (i, head, int.from_bytes(p[slot:slot + 2], "little")))


def held_bytes(data):
    return data.hex(" ") if data else "(none)"


gdb.pretty_printers.append(lookup)
Page()
