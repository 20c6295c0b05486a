#!/usr/bin/env python3
"""Verifies the evidence of a settlement network with nothing but Python 3.11.

Follows ops/docs/formats.md: it shares no code and no library with the nodes, and has an Ed25519 of its own.

  verify.py receipt FILE --policy FILE [--genesis FILE]
  verify.py checkpoint FILE --policy FILE
  verify.py ledger FOLDER --policy FILE --genesis FILE
  verify.py flips FOLDER --policy FILE --genesis FILE

The first three print what they found as JSON and end with 1 when something does not hold. `flips` takes a folder with
receipts/ and mirror/, changes single bits all over it, and counts how many of these changes are refused.
"""

import argparse
import base64
import hashlib
import json
import pathlib
import struct
import sys
import tomllib


class Refused(Exception):
    """What was looked at does not hold."""


def need(holds, why):
    if not holds:
        raise Refused(why)


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


# Ed25519 (RFC 8032), the strict check of formats.md: extended coordinates, no attempt at constant time.

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)
NEUTRAL = (0, 1, 1, 0)


def add(one, other):
    x1, y1, z1, t1 = one
    x2, y2, z2, t2 = other
    a = (y1 - x1) * (y2 - x2) % P
    b = (y1 + x1) * (y2 + x2) % P
    c = 2 * t1 * t2 * D % P
    d = 2 * z1 * z2 % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(scalar, point):
    result = NEUTRAL
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point = add(point, point)
        scalar >>= 1
    return result


def encode(point):
    x, y, z, _ = point
    inverse = pow(z, P - 2, P)
    x, y = x * inverse % P, y * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def point_of(encoded):
    y = int.from_bytes(encoded, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    need(y < P, "no point of the curve")
    squared = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(squared, (P + 3) // 8, P)
    if (x * x - squared) % P:
        x = x * ROOT_OF_MINUS_ONE % P
    need((x * x - squared) % P == 0 and (x or not sign), "no point of the curve")
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


BASE = point_of((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def is_small(point):
    x, y, z, _ = times(8, point)
    return x == 0 and (y - z) % P == 0


def signed_by(key, message, signature):
    """Whether a key of 32 bytes made a signature of 64 bytes."""
    if len(signature) != 64:
        return False
    first, scalar = signature[:32], int.from_bytes(signature[32:], "little")
    try:
        a, r = point_of(key), point_of(first)
    except Refused:
        return False
    if scalar >= ORDER or is_small(a) or is_small(r):
        return False
    k = int.from_bytes(hashlib.sha512(first + key + message).digest(), "little") % ORDER
    minus_a = (P - a[0], a[1], 1, P - a[3])
    return encode(add(times(scalar, BASE), times(k, minus_a))) == first


# Texts: one value has one spelling.


def from_base64(text):
    try:
        decoded = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise Refused(f"{text!r} is no base64") from error
    need(base64.b64encode(decoded).decode() == text, f"{text!r} is not the one base64 of its bytes")
    return decoded


def hash_of(text):
    decoded = from_base64(text)
    need(len(decoded) == 32, f"{text!r} is no hash")
    return decoded


def decimal(text):
    need(text.isascii() and text.isdigit() and str(int(text)) == text, f"{text!r} is no number")
    need(int(text) < 2**64, f"{text} is too large")
    return int(text)


def utf8(data, controls=""):
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise Refused("this is no UTF-8") from error
    bad = [c for c in text if (ord(c) < 32 or ord(c) == 127) and c not in "\n" + controls]
    need(not bad, "control characters")
    return text


# Keys, notes, checkpoints, policies.


class Key:
    """A verifier key."""

    def __init__(self, text, kind):
        parts = text.split("+", 2)
        need(len(parts) == 3 and parts[0], f"{text!r} is no verifier key")
        material = from_base64(parts[2])
        need(len(material) == 33 and material[0] == kind, f"{text!r} is no key of type {kind}")
        self.name, self.kind, self.public = parts[0], kind, material[1:]
        self.id = sha256(self.name.encode(), b"\n", material)[:4]
        need(parts[1] == self.id.hex(), f"the id of {text!r} is not its own")
        need(not is_small(point_of(self.public)), f"{text!r} is of small order")

    def verifies(self, text, signature):
        if self.kind == 1:
            return signed_by(self.public, text.encode(), signature)
        if len(signature) != 72:
            return False
        time = int.from_bytes(signature[:8], "big")
        signed = f"cosignature/v1\ntime {time}\n{text}".encode()
        return time < 2**63 and signed_by(self.public, signed, signature[8:])


def read_note(data):
    """Text and signature lines of a note: name, key id, signature."""
    need(len(data) <= 64 << 10, "the note is too long")
    whole = utf8(data)
    end = whole.rfind("\n\n")
    need(end >= 0 and whole.endswith("\n"), "the note has no signatures")
    text, lines = whole[: end + 1], whole[end + 2 :].removesuffix("\n").split("\n")
    need(len(lines) <= 128, "too many signatures")
    signatures = []
    for line in lines:
        parts = line.split(" ")
        need(len(parts) == 3 and parts[0] == "\u2014", f"{line!r} is no signature line")
        name, signature = parts[1], from_base64(parts[2])
        spaces = any(c.isspace() for c in name)
        need(name and "+" not in name and not spaces, f"{name!r} is no name of a key")
        need(len(signature) > 4, f"{line!r} holds no signature")
        signatures.append((name, signature[:4], signature[4:]))
    return text, signatures


class Checkpoint:
    """Origin, size and root of a log, with the witnesses that cosigned it."""

    def __init__(self, text):
        lines = text.split("\n")
        need(len(lines) == 4 and not lines[3], "a checkpoint has three lines")
        self.origin, self.size, self.root = lines[0], decimal(lines[1]), hash_of(lines[2])
        self.cosigned = []


class Policy:
    """Whose signatures are enough; held to the finality rule."""

    def __init__(self, data):
        need(len(data) <= 128 << 10, "the policy is too long")
        text = utf8(data, "\t")
        need(text.endswith("\n"), "the policy's last line is not ended")
        self.logs, self.witnesses, self.groups, self.quorum = [], {}, {}, None
        used = set()
        for line in text.removesuffix("\n").split("\n"):
            items = line.replace("\t", " ").split(" ")
            items = [item for item in items if item]
            if not items or items[0].startswith("#"):
                continue
            wrong = f"{line!r} is no line of a policy"
            match items:
                case ["log", key, *address] if len(address) < 2:
                    key = Key(key, 1)
                    need(key.public not in [log.public for log in self.logs], wrong)
                    self.logs.append(key)
                case ["witness", name, key, *address] if len(address) < 2:
                    key = Key(key, 4)
                    known = [witness.public for witness in self.witnesses.values()]
                    need(self.is_new(name) and key.public not in known, wrong)
                    self.witnesses[name] = key
                case ["group", name, threshold, *members] if members:
                    fits = all(not self.is_new(m) and m not in used for m in members)
                    need(fits and len(set(members)) == len(members) and self.is_new(name), wrong)
                    used.update(members)
                    words = {"all": len(members), "any": 1}
                    number = words[threshold] if threshold in words else decimal(threshold)
                    need(1 <= number <= len(members), wrong)
                    self.groups[name] = (number, members)
                case ["quorum", name] if self.quorum is None:
                    need(name == "none" or not self.is_new(name), wrong)
                    self.quorum = name
                case _:
                    raise Refused(wrong)
        self.is_finality_rule()

    def is_new(self, name):
        return name != "none" and name not in self.witnesses and name not in self.groups

    def is_finality_rule(self):
        need(self.logs and len({log.name for log in self.logs}) == 1, "not exactly one log")
        self.origin = self.logs[0].name
        need("final" in self.groups, "no group `final`")
        threshold, members = self.groups["final"]
        need(all(member in self.witnesses for member in members), "`final` is not of nodes")
        n = len(members)
        f = max((n - 1) // 3, 1) if n >= 2 else 0
        need(threshold == (n + f) // 2 + 1, f"{threshold} of {n} is not the finality rule")
        nodes = sorted(self.witnesses[member].public for member in members)
        need(nodes == sorted(log.public for log in self.logs), "the nodes do not sign as the log")
        if self.quorum != "final":
            need(self.quorum in self.groups, "the quorum is none of the nodes")
            threshold, members = self.groups[self.quorum]
            need(threshold == len(members) and "final" in members, "the nodes are not needed")

    def is_reached(self, name, cosigned):
        if name in self.witnesses:
            return name in cosigned
        threshold, members = self.groups[name]
        return sum(self.is_reached(member, cosigned) for member in members) >= threshold

    def judge(self, data):
        text, lines = read_note(data)
        checkpoint = Checkpoint(text)
        need(checkpoint.origin == self.origin, f"a checkpoint of {checkpoint.origin}")
        signed, cosigned = False, set()
        # What stands in the way is found before anything is computed: lines that nobody knows.
        for name, key_id, signature in lines:
            for log in self.logs:
                if (log.name, log.id) == (name, key_id):
                    need(log.verifies(text, signature), f"{name} did not sign this")
                    signed = True
            for witness, key in self.witnesses.items():
                if (key.name, key.id) == (name, key_id):
                    need(key.verifies(text, signature), f"{name} did not cosign this")
                    cosigned.add(witness)
        need(signed, "no node signed it as the log")
        need(self.is_reached(self.quorum, cosigned), f"cosigned only by {sorted(cosigned)}")
        checkpoint.cosigned = sorted(cosigned)
        return checkpoint


# The Merkle log.


def leaf_hash(record):
    return sha256(b"\0", record)


def node_hash(left, right):
    return sha256(b"\1", left, right)


def root_of(hashes):
    """The root over hashes of leaves, or of equally large whole subtrees."""
    if not hashes:
        return sha256()
    if len(hashes) == 1:
        return hashes[0]
    k = 1 << (len(hashes) - 1).bit_length() - 1
    return node_hash(root_of(hashes[:k]), root_of(hashes[k:]))


def verify_inclusion(record, index, proof, checkpoint):
    need(index < checkpoint.size, "the leaf is not in the log")
    result, at, last = leaf_hash(record), index, checkpoint.size - 1
    for step in proof:
        need(last, "the proof is too long")
        if at & 1 or at == last:
            result = node_hash(step, result)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            result = node_hash(result, step)
        at, last = at >> 1, last >> 1
    need(not last and result == checkpoint.root, "the record is not in the signed log")


def verify_consistency(old_size, old_root, new_size, new_root, proof):
    need(0 < old_size < new_size, "nothing to prove")
    if not old_size & (old_size - 1):
        proof = [old_root, *proof]
    need(proof, "the proof is empty")
    at, last = old_size - 1, new_size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old = new = proof[0]
    for step in proof[1:]:
        need(last, "the proof is too long")
        if at & 1 or at == last:
            old, new = node_hash(step, old), node_hash(step, new)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            new = node_hash(new, step)
        at, last = at >> 1, last >> 1
    need(not last and old == old_root and new == new_root, "the logs are not consistent")


def prove_consistency(leaves, old_size):
    """What the specification calls PROOF(m, D[n]), from the leaves."""

    def part(m, leaves, whole):
        n = len(leaves)
        if m == n:
            return [] if whole else [root_of(leaves)]
        k = 1 << (n - 1).bit_length() - 1
        if m <= k:
            return [*part(m, leaves[:k], whole), root_of(leaves[k:])]
        return [*part(m - k, leaves[k:], False), root_of(leaves[:k])]

    return part(old_size, leaves, True)


def tile_name(level, number, width):
    groups = [f"{number % 1000:03}"]
    while number >= 1000:
        number //= 1000
        groups.insert(0, f"x{number % 1000:03}")
    return f"tile/{level}/{'/'.join(groups)}" + (f".p/{width}" if width < 256 else "")


class Mirror:
    """Tiles and bundles of a folder. `changed` replaces files, by name."""

    def __init__(self, folder):
        self.folder, self.changed = pathlib.Path(folder), {}

    def read(self, name):
        if name in self.changed:
            return self.changed[name]
        try:
            return (self.folder / name).read_bytes()
        except OSError as error:
            raise Refused(f"{name} is missing") from error

    @staticmethod
    def names(level, size):
        count = size if level == "entries" else size >> 8 * level
        for number in range((count + 255) // 256):
            width = min(256, count - 256 * number)
            yield tile_name(level, number, width), width

    def leaves(self, checkpoint):
        """Hashes of all leaves, once every tile holds."""
        below = None
        for level in range(8):
            tiles = []
            for name, width in self.names(level, checkpoint.size):
                data = self.read(name)
                need(len(data) == 32 * width, f"{name} has {len(data)} bytes")
                tiles.append([data[at : at + 32] for at in range(0, len(data), 32)])
            row = [one for tile in tiles for one in tile]
            if below is None:
                leaves = row
            else:
                for number, one in enumerate(row):
                    need(root_of(below[number]) == one, f"level {level} is not over the one below")
            below = tiles
        need(len(leaves) == checkpoint.size, "leaves are missing")
        need(root_of(leaves) == checkpoint.root, "the tiles lead to another root")
        return leaves

    def records(self, checkpoint, leaves):
        """All records, which are the leaves."""
        records = []
        for name, width in self.names("entries", checkpoint.size):
            data, at = self.read(name), 0
            for _ in range(width):
                need(at + 2 <= len(data), f"{name} is cut short")
                length = int.from_bytes(data[at : at + 2], "big")
                record, at = data[at + 2 : at + 2 + length], at + 2 + length
                need(at <= len(data), f"{name} is cut short")
                need(leaf_hash(record) == leaves[len(records)], f"leaf {len(records)} is another")
                records.append(record)
            need(at == len(data), f"{name} is too long")
        return records


# Records and commands.


class Reader:
    """Fields one after the other, little-endian."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        need(self.at + count <= len(self.data), "the bytes end within a field")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, kind):
        return struct.unpack("<" + kind, self.take(struct.calcsize("<" + kind)))[0]

    u8 = lambda self: self.number("B")
    u16 = lambda self: self.number("H")
    u32 = lambda self: self.number("I")
    u64 = lambda self: self.number("Q")
    i64 = lambda self: self.number("q")
    hex = lambda self, count: self.take(count).hex()

    def i128(self):
        return int.from_bytes(self.take(16), "little", signed=True)

    def text(self):
        return utf8(self.take(self.u8()))

    def id(self):
        text = self.hex(16)
        return "-".join(text[a:b] for a, b in [(0, 8), (8, 12), (12, 16), (16, 20), (20, 32)])

    def one_of(self, most, least=0):
        number = self.u8()
        need(least <= number <= most, f"{number} is not among {least} to {most}")
        return number

    def maybe(self, read):
        return read() if self.one_of(1) else None

    def end(self):
        need(self.at == len(self.data), "bytes are left over")


def read_condition(r):
    kind = r.one_of(5, 1)
    if kind == 1:
        return {"approval": r.u32()}
    if kind == 2:
        return {"key": r.hex(32)}
    if kind == 3:
        needed, count = r.u8(), r.one_of(16, 1)
        members = [r.u32() if r.one_of(2, 1) == 1 else r.hex(32) for _ in range(count)]
        return {"threshold": needed, "members": members}
    return {"preimage_of": r.hex(32)} if kind == 4 else {"not_before": r.u64()}


def read_options(r):
    bits, options = r.u8(), {}
    need(bits, "options without one")
    if bits & 1:
        options["not_before"] = r.u64()
    if bits & 2:
        options["deadline"] = r.u64()
    if bits & 4:
        options["priority"] = r.one_of(2, 1)
    if bits & 8:
        options["on_shortage"] = r.one_of(2, 2)
    if bits & 16:
        options["returns"] = r.id()
    if bits & 32:
        options["conditions"] = [read_condition(r) for _ in range(r.one_of(16, 1))]
    if bits & 64:
        options["original"] = read_command(r)
        need(options["original"]["kind"] == 1 and bits & 48 == 16, "a wrong original")
    if bits & 128:
        options["till"] = r.u64()
    return options


def read_limit(r):
    kind = r.one_of(4, 1)
    limit = {"limit": kind}
    if kind == 3:
        limit["participant"] = r.u32()
    if kind >= 3:
        limit["restart"] = r.one_of(1)
    if r.one_of(1):
        limit["most"] = r.u64()
        if kind == 2:
            limit["window"], limit["rolling"] = r.u64(), r.one_of(1)
    return limit


def read_content(r):
    kind = r.one_of(11, 1)
    content = {"content": kind}
    if kind in (1, 3, 8):
        content["command"] = read_command(r)
        need(content["command"]["kind"] == {1: 7, 3: 8, 8: 9}[kind], "another command")
    elif kind == 2:
        content |= {"participant": r.u32(), "state": r.one_of(5, 1)}
    elif kind == 4:
        content["asset"] = r.u32()
        if r.one_of(1):
            content |= {"opens": r.u16(), "cut_off": r.u16(), "weekdays": r.u8()}
            content["holidays"] = [r.u32() for _ in range(r.u16())]
    elif kind == 5:
        content |= {"asset": r.u32(), "most": r.maybe(r.u64)}
    elif kind == 6:
        content |= {"node": r.u64(), "operator": r.u32(), "link_key": r.hex(32)}
        content |= {"address": r.text(), "client_address": r.text()}
    elif kind == 7:
        content["node"] = r.u64()
    elif kind == 9:
        content["faulty"] = r.u16()
    elif kind == 10:
        content["needed"] = r.u16()
        content["voters"] = [r.u32() for _ in range(r.u16())]
    else:
        content["participant"] = r.u32()
        content["signing_keys"] = [r.hex(32) for _ in range(r.u16())]
    return content


NAMES = {
    1: "transfer", 2: "issue", 3: "redeem", 4: "open account", 5: "set floor", 6: "set account status",
    7: "admit participant", 8: "add asset", 9: "activate rules", 10: "approve", 11: "refuse", 12: "reveal",
    13: "cancel", 14: "reorder", 20: "set limit", 21: "set reservation", 22: "set acceptance",
    23: "set notices", 24: "attest", 30: "propose", 31: "vote", 32: "withdraw", 33: "confirm", 34: "add key",
    35: "retire key", 36: "revoke key", 37: "set sealing key", 38: "set funding limit", 50: "place quote",
    51: "withdraw quote", 52: "exchange", 53: "return exchange", 54: "report credit", 55: "set reporting",
    60: "record access", 61: "erase document",
}
FLAGS = {1: 3, 50: 1, 52: 7, 53: 3, 54: 1, 60: 1, 61: 1}


def read_command(r):
    kind, flags, count = r.u8(), r.u8(), r.u16()
    need(kind in NAMES, f"no command has kind {kind}")
    need(flags & ~FLAGS.get(kind, 0) == 0, f"flags {flags} of command {kind}")
    need(count == 0 or kind in (1, 7), f"count {count} of command {kind}")
    command = {"kind": kind, "command": NAMES[kind]}
    if kind not in (4, 7, 8, 9, 35, 36):
        command["id"] = r.id()
    if kind == 1:
        need(1 <= count <= 64, f"{count} legs")
        legs = [(r.u32(), r.u32(), r.u64()) for _ in range(count)]
        command["legs"] = [dict(zip(("debit", "credit", "minor"), leg)) for leg in legs]
        if flags & 1:
            command["document"] = r.hex(32)
        if flags & 2:
            command["options"] = read_options(r)
    elif kind in (2, 3):
        command |= {"account": r.u32(), "minor": r.u64()}
    elif kind == 4:
        command |= {"owner": r.u32(), "asset": r.u32(), "label": r.text()}
    elif kind == 5:
        command |= {"account": r.u32(), "floor": r.i64()}
    elif kind == 6:
        command |= {"account": r.u32(), "status": r.one_of(5, 1)}
    elif kind == 7:
        need(1 <= count <= 8, f"{count} keys")
        command |= {"bic": utf8(r.take(11)), "name": r.text(), "sealing_key": r.hex(32)}
        command["signing_keys"] = [r.hex(32) for _ in range(count)]
    elif kind == 8:
        command |= {"code": r.text(), "exponent": r.one_of(18), "issuer": r.u32()}
    elif kind == 9:
        command["version"] = r.u16()
    elif kind == 11:
        command["reason"] = utf8(r.take(4))
    elif kind == 12:
        command["preimage"] = r.hex(r.one_of(128, 1))
    elif kind == 14:
        command |= {"transfer": r.id(), "priority": r.one_of(3, 1), "position": r.one_of(3, 1)}
    elif kind == 20:
        command |= {"account": r.u32(), "by": r.one_of(2, 1), "limit": read_limit(r)}
    elif kind == 21:
        command |= {"account": r.u32(), "priority": r.one_of(2, 1), "minor": r.u64()}
    elif kind == 22:
        command |= {"account": r.u32(), "nanoseconds": r.maybe(r.u64)}
    elif kind == 23:
        command["account"], present = r.u32(), r.one_of(3)
        command |= {name: r.i64() for bit, name in ((1, "floor"), (2, "ceiling")) if present & bit}
    elif kind == 24:
        command |= {"participant": r.u32(), "digest": r.hex(32)}
    elif kind == 30:
        command |= {"proposer": r.u32(), "expires": r.u64(), "content": read_content(r)}
    elif kind == 31:
        command["in_favour"] = r.one_of(2, 1) == 1
    elif kind in (34, 35, 36, 37):
        command |= {"participant": r.u32(), "key": r.hex(32)}
        if kind in (34, 35):
            command["time"] = r.maybe(r.u64)
    elif kind == 38:
        command |= {"asset": r.u32(), "above": r.maybe(r.u64)}
    elif kind == 50:
        names = ("gives", "receives", "pay", "get", "minor", "least", "until")
        numbers = (r.u32(), r.u32(), r.u64(), r.u64(), r.u64(), r.u64(), r.u64())
        command |= dict(zip(names, numbers))
        if flags & 1:
            command["replaces"] = r.id()
    elif kind == 52:
        command |= {"debit": r.u32(), "credit": r.u32(), "exact": r.u64(), "limit": r.u64()}
        command["spend"] = bool(flags & 4)
        read_document_and_deadline(r, flags, command)
    elif kind == 53:
        command |= {"credit": r.u32(), "minor": r.u64()}
        read_document_and_deadline(r, flags, command)
        command["original"] = read_command(r)
        need(command["original"]["kind"] == 52, "the original is no exchange")
    elif kind == 54:
        command["account"] = r.u32()
        command["outcome"] = utf8(r.take(4)) if flags & 1 else r.u64()
    elif kind == 55:
        command |= {"account": r.u32(), "nanoseconds": r.u64()}
    elif kind == 60:
        command |= {"participant": r.u32(), "access": r.one_of(4, 1)}
        if flags & 1:
            command["payment"] = r.id()
        command |= {"what": r.hex(32), "reader": r.text(), "ground": r.text()}
    elif kind == 61:
        command |= {"participant": r.u32(), "destroyed": r.u64()}
        if flags & 1:
            command["sealing_key"] = r.hex(32)
        command |= {"by": r.text(), "ground": r.text(), "payment": read_command(r)}
        need("document" in command["payment"], "the payment has no document")
    return command


def read_document_and_deadline(r, flags, command):
    if flags & 1:
        command["document"] = r.hex(32)
    if flags & 2:
        command["deadline"] = r.u64()


WORDS = {1: "settled", 2: "warehoused", 3: "held", 4: "queued"}


def word(answer):
    need(answer in WORDS or answer >= 100, f"{answer} is no answer")
    return WORDS.get(answer, "refused")


def read_record(data):
    r = Reader(data)
    kind, version = r.u8(), r.u8()
    need(version == 1, f"a record of version {version}")
    if kind == 1:
        record = {"record": "batch", "header": r.take(58)}
        header = Reader(record["header"])
        need(header.u16() == 1, "a batch of another version")
        record |= {"network": header.hex(32), "epoch": header.u32(), "submitter": header.u32()}
        record |= {"valid_until": header.u64(), "count": header.u32(), "length": header.u32()}
        count = r.one_of(16, 1)
        record["signers"] = [(r.u32(), r.take(32)) for _ in range(count)]
        record["signed"] = data[60 : r.at]
        record["signatures"] = [r.take(64) for _ in range(count)]
    elif kind == 2:
        answer, flags = r.u16(), r.one_of(1)
        need(r.u8() == 0, "a byte that must be 0")
        record = {"record": "command", "code": answer, "answer": word(answer)}
        if flags:
            record["original_leaf"] = r.u64()
        record["bytes"] = data[r.at :]
        record |= read_command(r)
    elif kind == 3:
        record = {"record": "seal", "height": r.u64(), "time": r.u64(), "first_leaf": r.u64()}
        record |= {"records": r.u32(), "commands": r.u32(), "previous": r.take(32)}
        record["state_root"] = r.hex(32)
    elif kind == 4:
        record = {"record": "genesis", "network": r.hex(32), "state_root": r.hex(32)}
    elif kind == 5:
        record = {"record": "progress", "id": r.id(), "leaf": r.u64(), "code": r.u16()}
        record |= {"answer": word(record["code"]), "cause": r.u8(), "number": r.u64()}
        need(record["cause"] in (1, 2, 3, 4, 20), f"cause {record['cause']}")
    elif kind == 6:
        record = {"record": "exchange", "id": r.id(), "leaf": r.u64(), "paid": r.u64()}
        record |= {"delivered": r.u64(), "between": r.u32(), "first_step": r.u8(), "fills": []}
        for _ in range(r.one_of(16, 1)):
            fill = {"quote": r.id(), "gives": r.u32(), "receives": r.u32(), "pay": r.u64()}
            record["fills"].append(fill | {"get": r.u64(), "gave": r.u64(), "took": r.u64()})
    elif kind == 7:
        what = r.one_of(7, 1)
        record = {"record": "notice", "notice": what, "bank": r.u32()}
        if what <= 2:
            record |= {"account": r.u32(), "line": r.i64(), "posted": r.i128(), "available": r.i128()}
        elif what <= 4:
            record |= {"id": r.id(), "account": r.u32()}
        elif what == 5:
            record |= {"id": r.id(), "left": r.u64()}
        elif what == 6:
            record |= {"id": r.id(), "account": r.u32(), "time": r.u64()}
        else:
            record |= {"id": r.id(), "account": r.u32(), "reason": utf8(r.take(4))}
    elif kind == 8:
        record = {"record": "step", "node": r.u64(), "seat": r.one_of(3, 1)}
    else:
        raise Refused(f"a record of kind {kind}")
    r.end()
    return record


# The ledger: names, keys and balances as they follow from the genesis file and the records.


class Genesis:
    """What the genesis file opens."""

    def __init__(self, data):
        self.network, text = sha256(data).hex(), tomllib.loads(utf8(data, "\t\r"))
        self.keys, self.bics = {}, []
        for number, one in enumerate(text["participants"]):
            self.bics.append(one["bic"] + "XXX" * (len(one["bic"]) == 8))
            for key in one["signing_keys"]:
                self.keys.setdefault(number, set()).add(bytes.fromhex(key))
        self.assets = [asset["code"] for asset in text["assets"]]
        self.accounts, self.posted = [], []
        for account in text["accounts"]:
            self.open(self.long(account["account"]))
        for funding in text.get("funding", []):
            at = self.accounts.index(self.long(funding["account"]))
            self.posted[at] += funding["amount"]
        self.cosigners = sorted(bytes.fromhex(node["cosign_key"]) for node in text["nodes"])

    @staticmethod
    def long(name):
        bic, rest = name.split("/", 1)
        return f"{bic}{'XXX' * (len(bic) == 8)}/{rest}"

    def open(self, name):
        self.accounts.append(name)
        self.posted.append(0)

    def name(self, number):
        return self.accounts[number] if number < len(self.accounts) else number

    def check_policy(self, policy):
        need(policy.origin == f"corridor/{self.network}", "the policy is of another network")
        _, members = policy.groups["final"]
        keys = sorted(policy.witnesses[member].public for member in members)
        need(keys == self.cosigners, "the policy names other keys than the genesis file")


class Ledger:
    """Applies records one after the other, and holds them to the form of blocks."""

    def __init__(self, genesis):
        self.genesis, self.commands = genesis, {}
        self.leaf = self.height = self.time = 0
        self.first_leaf, self.previous = 1, None
        self.batch, self.joined, self.behind = None, [], False
        self.block_commands = 0
        self.counts = {"batches": 0, "signatures": 0, "commands": 0, "settled": 0}

    def take(self, data):
        record = read_record(data)
        what = record["record"]
        need((self.leaf == 0) == (what == "genesis"), "genesis is leaf 0")
        if self.batch and len(self.joined) < self.batch["count"]:
            need(what == "command", "commands of a batch are missing")
        if what == "genesis":
            need(record["network"] == self.genesis.network, "the genesis of another network")
            self.previous = leaf_hash(data)
        elif what == "batch":
            need(not self.behind, "a batch behind what followed the batches")
            self.check_header(record)
        elif what == "command":
            need(self.batch and len(self.joined) < self.batch["count"], "a command of no batch")
            self.joined.append(record["bytes"])
            self.command(record)
            if len(self.joined) == self.batch["count"]:
                self.check_batch()
        elif what == "seal":
            self.seal(record, data)
        else:
            self.behind = True
            if what == "progress":
                self.progress(record)
            elif what == "exchange":
                self.exchange(record)
        self.leaf += 1

    def check_header(self, record):
        need(record["network"] == self.genesis.network, "a batch for another network")
        need(record["epoch"] == 1 and record["count"] > 0, "a batch of another epoch, or of nothing")
        banks = [participant for participant, _ in record["signers"]]
        need(len(set(banks)) == len(banks), "somebody signs twice")
        need(record["submitter"] in banks, "the submitter did not sign")
        self.batch, self.joined = record, []
        self.valid_until = min(record["valid_until"], getattr(self, "valid_until", 2**64))

    def check_batch(self):
        commands = b"".join(self.joined)
        need(len(commands) == self.batch["length"], "the commands have another length")
        digest = sha256(b"corridor batch v1\0", self.batch["header"], commands, self.batch["signed"])
        for (participant, key), signature in zip(self.batch["signers"], self.batch["signatures"]):
            known = self.genesis.keys.get(participant, set())
            need(key in known, f"participant {participant} signs with a strange key")
            need(signed_by(key, digest, signature), f"participant {participant} did not sign this")
            self.counts["signatures"] += 1
        self.counts["batches"] += 1

    def seal(self, seal, data):
        batch_done = not self.batch or len(self.joined) == self.batch["count"]
        fits = (
            seal["height"] == self.height + 1 and seal["time"] > self.time and batch_done
            and seal["first_leaf"] == self.first_leaf and seal["previous"] == self.previous
            and seal["records"] == self.leaf - self.first_leaf
            and seal["commands"] == self.block_commands
        )
        need(fits, f"the seal at leaf {self.leaf} does not fit")
        need(getattr(self, "valid_until", 2**64) >= seal["time"], "a batch was no longer valid")
        self.height, self.time, self.previous = seal["height"], seal["time"], leaf_hash(data)
        self.first_leaf, self.batch, self.behind, self.block_commands = self.leaf + 1, None, False, 0
        self.valid_until = 2**64

    def move(self, debit, credit, minor):
        for account, signed in ((debit, -minor), (credit, minor)):
            if account is not None:
                need(account < len(self.genesis.accounts), f"account {account} was never opened")
                self.genesis.posted[account] += signed

    def settle(self, command):
        """What a command does when it settles, at once or later."""
        kind, genesis = command["kind"], self.genesis
        if kind == 1:
            for leg in command["legs"]:
                self.move(leg["debit"], leg["credit"], leg["minor"])
        elif kind == 2:
            self.move(None, command["account"], command["minor"])
        elif kind == 3:
            self.move(command["account"], None, command["minor"])
        elif kind == 53:
            self.move(command["original"]["credit"], command["credit"], command["minor"])
        elif kind == 4:
            name = f"{genesis.bics[command['owner']]}/{genesis.assets[command['asset']]}"
            genesis.open(name + (f"/{command['label']}" if command["label"] else ""))
        elif kind == 34:
            genesis.keys.setdefault(command["participant"], set()).add(bytes.fromhex(command["key"]))
        elif kind == 30:
            self.settle_content(command["content"])

    def settle_content(self, content):
        genesis, inner = self.genesis, content.get("command", {})
        if content["content"] == 1:
            keys = {bytes.fromhex(key) for key in inner["signing_keys"]}
            genesis.keys[len(genesis.bics)] = keys
            genesis.bics.append(inner["bic"])
        elif content["content"] == 3:
            genesis.assets.append(inner["code"])
        elif content["content"] == 11:
            keys = {bytes.fromhex(key) for key in content["signing_keys"]}
            genesis.keys[content["participant"]] |= keys

    def command(self, record):
        self.block_commands += 1
        self.counts["commands"] += 1
        self.counts["settled"] += record["code"] == 1
        if "original_leaf" in record:
            need(record["original_leaf"] < self.leaf, "repeats what comes later")
            return
        if record["code"] == 1:
            self.settle(record)
        if record["code"] in (2, 3, 4) or record["kind"] == 52:
            self.commands[self.leaf] = record

    def progress(self, record):
        waits = self.commands.get(record["leaf"])
        need(waits and waits["id"] == record["id"], "progress of what did not wait")
        if record["code"] == 1:
            self.settle(waits)
        if record["code"] == 1 or record["code"] >= 100:
            del self.commands[record["leaf"]]

    def exchange(self, record):
        command = self.commands.pop(record["leaf"], None)
        need(command and command["id"] == record["id"], "an exchange that nobody ordered")
        self.move(command["debit"], None, record["paid"])
        self.move(None, command["credit"], record["delivered"])
        for fill in record["fills"]:
            self.move(None, fill["receives"], fill["took"])
            self.move(fill["gives"], None, fill["gave"])


def shown(record, genesis=None):
    """A record as JSON can hold it, with names for numbers where they are known."""
    plain = {}
    for name, value in record.items():
        if name in ("header", "bytes", "signed", "signers", "signatures"):
            continue
        if name == "legs" and genesis:
            names = ("debit", "credit")
            value = [leg | {name: genesis.name(leg[name]) for name in names} for leg in value]
        plain[name] = value.hex() if isinstance(value, bytes) else value
    return plain


def read_receipt(data):
    head, gap, note = utf8(data).partition("\n\n")
    lines = head.split("\n")
    need(gap and len(lines) >= 3 and lines[0] == "c2sp.org/tlog-proof@v1", "this is no receipt")
    need(lines[1].startswith("extra ") and lines[2].startswith("index "), "no record or no index")
    record = from_base64(lines[1].removeprefix("extra "))
    index = decimal(lines[2].removeprefix("index "))
    return record, index, [hash_of(line) for line in lines[3:]], note.encode()


def verify_receipt(data, policy):
    record, index, proof, note = read_receipt(data)
    decoded = read_record(record)
    # The cheap part first: what is not in the log that it names needs no signatures.
    claimed = Checkpoint(read_note(note)[0])
    verify_inclusion(record, index, proof, claimed)
    checkpoint = policy.judge(note)
    return decoded, index, checkpoint


def verify_ledger(folder, policy, genesis):
    mirror = Mirror(folder)
    newest = policy.judge(mirror.read("checkpoint"))
    leaves = mirror.leaves(newest)
    held = []
    paths = sorted(mirror.folder.glob("checkpoints/*"), key=lambda path: int(path.name))
    for path in paths:
        old = policy.judge(path.read_bytes())
        need(str(old.size) == path.name, f"{path.name} is of {old.size} leaves")
        need(mirror.leaves(old) == leaves[: old.size], f"the log changed below {old.size}")
        if old.size < newest.size:
            proof = prove_consistency(leaves, old.size)
            verify_consistency(old.size, old.root, newest.size, newest.root, proof)
        held.append(old.size)
    ledger = Ledger(genesis)
    records = mirror.records(newest, leaves)
    for data in records:
        ledger.take(data)
    need(ledger.first_leaf == len(records), "the log does not end with a block")
    balances = {name: str(posted) for name, posted in zip(genesis.accounts, genesis.posted)}
    c = ledger.counts
    summary = (
        f"{ledger.height} blocks, {newest.size} leaves: {c['batches']} batches with {c['signatures']}"
        f" signatures, {c['commands']} commands, {c['settled']} of them settled at once"
    )
    return {"summary": summary, "checkpoints": held, "balances": balances}


def flips(folder, policy_data, step):
    """Changes one bit in each `step` bits of every file; each change must be refused."""
    folder = pathlib.Path(folder)
    policy, mirror = Policy(policy_data), Mirror(folder / "mirror")
    newest = policy.judge(mirror.read("checkpoint"))
    leaves = mirror.leaves(newest)
    receipt = sorted(folder.glob("receipts/*"))[0].read_bytes()

    def tile(name):
        def check(data):
            mirror.changed = {name: data}
            try:
                mirror.leaves(newest) if "entries" not in name else mirror.records(newest, leaves)
            finally:
                mirror.changed = {}

        return check

    kit = {
        "receipt": (receipt, lambda data: verify_receipt(data, policy)),
        "checkpoint": (mirror.read("checkpoint"), policy.judge),
        "policy": (policy_data, lambda data: verify_receipt(receipt, Policy(data))),
    }
    for level in (0, 1, "entries"):
        for name, _ in mirror.names(level, newest.size):
            kit[name] = (mirror.read(name), tile(name))
    tried, refused, unnoticed = 0, 0, []
    for name, (data, check) in kit.items():
        check(data)
        # A prime away from the size of everything, so that all bits of a byte have their turn.
        for bit in range(0, 8 * len(data), max(step, 8 * len(data) // 120 | 1)):
            changed = bytearray(data)
            changed[bit // 8] ^= 1 << bit % 8
            tried += 1
            try:
                check(bytes(changed))
                unnoticed.append(f"bit {bit % 8} of byte {bit // 8} of {name}")
            except Refused:
                refused += 1
    return {"flips": tried, "refused": refused, "unnoticed": unnoticed}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=["receipt", "checkpoint", "ledger", "flips"])
    parser.add_argument("path", type=pathlib.Path)
    parser.add_argument("--policy", type=pathlib.Path, required=True)
    parser.add_argument("--genesis", type=pathlib.Path)
    parser.add_argument("--step", type=int, default=37, help="of flips: bits from one to the next")
    arguments = parser.parse_args()
    policy_data = arguments.policy.read_bytes()
    try:
        policy = Policy(policy_data)
        genesis = Genesis(arguments.genesis.read_bytes()) if arguments.genesis else None
        if genesis:
            genesis.check_policy(policy)
        if arguments.what == "flips":
            found = flips(arguments.path, policy_data, arguments.step)
        elif arguments.what == "ledger":
            need(genesis, "a ledger is verified from its genesis file")
            found = verify_ledger(arguments.path, policy, genesis)
        elif arguments.what == "receipt":
            record, index, checkpoint = verify_receipt(arguments.path.read_bytes(), policy)
            found = {"record": shown(record, genesis), "leaf": index, "size": checkpoint.size}
            found["cosigned"] = checkpoint.cosigned
        else:
            checkpoint = policy.judge(arguments.path.read_bytes())
            found = {"size": checkpoint.size, "root": checkpoint.root.hex()}
            found["cosigned"] = checkpoint.cosigned
    except Refused as refused:
        print(f"REFUSED: {refused}", file=sys.stderr)
        return 1
    print(json.dumps(found, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
