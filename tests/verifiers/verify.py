#!/usr/bin/env python3
"""Verifies the evidence of a settlement network with nothing but Python 3.11.

Follows ops/docs/formats.md and formats-rules.md: it shares no code and no library with the nodes, and has an Ed25519 of its own.

  verify.py receipt FILE --policy FILE [--genesis FILE]
  verify.py checkpoint FILE --policy FILE
  verify.py ledger FOLDER --policy FILE --genesis FILE
  verify.py flips FOLDER --policy FILE --genesis FILE
  verify.py lies FOLDER --policy FILE --genesis FILE

The first three print what they found as JSON and end with 1 when something does not hold. `flips` takes a folder with
receipts/ and mirror/, changes single bits all over it, and counts how many of these changes are refused. `lies` takes
a mirror and tells of it what no bank has signed, with all hashes and seals made anew, as a dishonest quorum could.
"""

import argparse
import base64
import hashlib
import heapq
import json
import pathlib
import string
import struct
import sys
import tomllib
import unicodedata


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
    y %= P
    squared = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(squared, (P + 3) // 8, P)
    if (x * x - squared) % P:
        x = x * ROOT_OF_MINUS_ONE % P
    need((x * x - squared) % P == 0, "no point of the curve")
    if x & 1 != sign:
        x = -x % P
    return x, y, 1, x * y % P


BASE = point_of((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def is_small(point):
    x, y, z, _ = times(8, point)
    return x == 0 and (y - z) % P == 0


def signed_by(key, message, signature, in_block=False):
    """Whether a key of 32 bytes made a signature of 64 bytes: by the strict check, or by the rule for blocks."""
    if len(signature) != 64:
        return False
    first, scalar = signature[:32], int.from_bytes(signature[32:], "little")
    try:
        a, r = point_of(key), point_of(first)
    except Refused:
        return False
    if scalar >= ORDER or is_small(a) or (is_small(r) and not in_block):
        return False
    k = int.from_bytes(hashlib.sha512(first + key + message).digest(), "little") % ORDER
    minus_a = (P - a[0], a[1], 1, P - a[3])
    found = add(times(scalar, BASE), times(k, minus_a))
    if in_block and encode(found) != first:
        return is_small(add(found, (P - r[0], r[1], 1, P - r[3])))
    return in_block or encode(found) == first


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

    def node_keys(self):
        return sorted(self.witnesses[member].public for member in self.groups["final"][1])

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


CAPITALS = string.ascii_uppercase + string.digits


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

    def text(self, least=0, most=255, allowed=None):
        data = self.take(self.u8())
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            raise Refused("this is no UTF-8") from error
        need(least <= len(data) <= most, f"{text!r} has a wrong length")
        need(allowed is None or set(text) <= set(allowed), f"{text!r} has a wrong character")
        return text

    def line(self, most):
        text = self.text(1, most)
        need(not any(unicodedata.category(c) == "Cc" for c in text), "control characters")
        need(text.strip(), "white space only")
        return text

    def reason(self):
        reason = self.take(4)
        need(set(reason) <= set(CAPITALS.encode()), f"{reason} is no reason")
        return reason.decode()

    def id(self):
        text = self.hex(16)
        return "-".join(text[a:b] for a, b in [(0, 8), (8, 12), (12, 16), (16, 20), (20, 32)])

    def one_of(self, most, least=0):
        number = self.u8()
        need(least <= number <= most, f"{number} is not among {least} to {most}")
        return number

    def count(self, most):
        count = self.u16()
        need(count <= most, f"{count} is above {most}")
        return count

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
        need(1 <= needed <= count, f"{needed} of {count}")
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
        original, inner = options["original"], options["original"].get("options", {})
        fits = original["kind"] == 1 and original["id"] == options.get("returns")
        need(fits and bits & 32 == 0 and "original" not in inner, "a wrong original")
    if bits & 128:
        options["till"] = r.u64()
    return options


WAIT_MAX = 400 * 86_400 * 10**9


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
            need(10**9 <= limit["window"] <= WAIT_MAX, "a wrong window")
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
            content["holidays"] = [r.u32() for _ in range(r.count(512))]
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
        content["voters"] = [r.u32() for _ in range(r.count(64))]
    else:
        content["participant"] = r.u32()
        content["signing_keys"] = [r.hex(32) for _ in range(r.count(8))]
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
            need(count == 1 or "original" not in command["options"], "a wrong original")
    elif kind in (2, 3):
        command |= {"account": r.u32(), "minor": r.u64()}
    elif kind == 4:
        command |= {"owner": r.u32(), "asset": r.u32()}
        command["label"] = r.text(0, 16, string.ascii_letters + string.digits + "-")
    elif kind == 5:
        command |= {"account": r.u32(), "floor": r.i64()}
    elif kind == 6:
        command |= {"account": r.u32(), "status": r.one_of(5, 1)}
    elif kind == 7:
        need(1 <= count <= 8, f"{count} keys")
        bic = r.take(11)
        need(set(bic) <= set(CAPITALS.encode()) and bic[4:6].isalpha(), f"{bic} is no BIC")
        command |= {"bic": bic.decode(), "name": r.text(1, 140), "sealing_key": r.hex(32)}
        command["signing_keys"] = [r.hex(32) for _ in range(count)]
    elif kind == 8:
        command |= {"code": r.text(1, 12, CAPITALS), "exponent": r.one_of(18), "issuer": r.u32()}
    elif kind == 9:
        command["version"] = r.u16()
    elif kind == 11:
        command["reason"] = r.reason()
    elif kind == 12:
        command["preimage"] = r.hex(r.one_of(128, 1))
    elif kind == 14:
        command |= {"transfer": r.id(), "priority": r.one_of(3, 1), "position": r.one_of(3, 1)}
    elif kind == 20:
        command |= {"account": r.u32(), "by": r.one_of(2, 1), "limit": read_limit(r)}
        need(command["by"] == 1 or command["limit"]["limit"] < 3, "a limit of its owner alone")
    elif kind == 21:
        command |= {"account": r.u32(), "priority": r.one_of(2, 1), "minor": r.u64()}
    elif kind == 22:
        command |= {"account": r.u32(), "nanoseconds": r.maybe(r.u64)}
        need(1 <= (command["nanoseconds"] or 1) <= WAIT_MAX, "a wrong time")
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
        need(all(1 <= command[term] <= 10**18 for term in ("pay", "get")), "a wrong rate")
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
        command["outcome"] = r.reason() if flags & 1 else r.u64()
    elif kind == 55:
        command |= {"account": r.u32(), "nanoseconds": r.u64()}
    elif kind == 60:
        command |= {"participant": r.u32(), "access": r.one_of(4, 1)}
        if flags & 1:
            command["payment"] = r.id()
        command |= {"what": r.hex(32), "reader": r.line(64), "ground": r.line(140)}
    elif kind == 61:
        command |= {"participant": r.u32(), "destroyed": r.u64()}
        if flags & 1:
            command["sealing_key"] = r.hex(32)
        command |= {"by": r.line(64), "ground": r.line(140), "payment": read_command(r)}
        payment = command["payment"]
        need(payment["kind"] == 1 and "document" in payment, "no payment with a document")
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


def check_fills(exchange):
    """Whether the fills account for every minor unit."""
    first = exchange["fills"][: exchange["first_step"]]
    second = exchange["fills"][exchange["first_step"] :]
    total = lambda what, fills: sum(fill[what] for fill in fills)
    last, direct = second or first, exchange["between"] == 2**32 - 1
    need(len(first) == exchange["first_step"] and direct != bool(second), "wrong steps")
    need(total("took", first) == exchange["paid"], "the fills took another amount")
    need(total("gave", last) == exchange["delivered"], "the fills gave another amount")
    need(not second or total("gave", first) == total("took", second), "the steps do not meet")
    for fill in exchange["fills"]:
        need(1 <= fill["pay"] <= 10**18 and 1 <= fill["get"] <= 10**18, "a wrong rate")
        rest = fill["took"] - -(-fill["gave"] * fill["pay"] // fill["get"])
        fair = fill["gave"] and rest >= 0 and rest * fill["get"] // fill["pay"] == 0
        need(fair, "a fill at another price")


def read_record(data):
    need(len(data) <= 65_535, "a record that is too long")
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
        most = {1: 2**64 - 1, 2: 0, 3: 0, 4: 2**32 - 1, 20: 0}.get(record["cause"], -1)
        need(record["number"] <= most, f"cause {record['cause']} with {record['number']}")
    elif kind == 6:
        record = {"record": "exchange", "id": r.id(), "leaf": r.u64(), "paid": r.u64()}
        record |= {"delivered": r.u64(), "between": r.u32(), "first_step": r.u8(), "fills": []}
        for _ in range(r.one_of(16, 1)):
            fill = {"quote": r.id(), "gives": r.u32(), "receives": r.u32(), "pay": r.u64()}
            record["fills"].append(fill | {"get": r.u64(), "gave": r.u64(), "took": r.u64()})
        check_fills(record)
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
            record |= {"id": r.id(), "account": r.u32(), "reason": r.reason()}
    elif kind == 8:
        record = {"record": "step", "node": r.u64(), "seat": r.one_of(3, 1)}
        need(record["node"], "a step of node 0")
    else:
        raise Refused(f"a record of kind {kind}")
    r.end()
    return record


# The genesis file: its commands, and the state root that its record has.

REPEATS_GENESIS = 2**48 - 1


def short(text):
    return bytes([len(text.encode())]) + text.encode()


def made_id(*parts):
    """The start of a hash in the form of a UUID of version 4."""
    made = bytearray(sha256(*parts)[:16])
    made[6], made[8] = made[6] & 0x0F | 0x40, made[8] & 0x3F | 0x80
    return bytes(made)


def tree(leaves):
    """The tree of the state root: filled up to a power of two, where nothing is 32 zero bytes."""
    row = leaves or [bytes(32)]
    while len(row) > 1:
        row = [node_hash(*(row[at : at + 2] + [bytes(32)])[:2]) for at in range(0, len(row), 2)]
    return row[0]


class Genesis:
    """What the genesis file opens."""

    def __init__(self, data):
        self.network, self.file = sha256(data).hex(), tomllib.loads(utf8(data, "\t\r"))
        self.rules, self.time = self.file.get("rules", 1), self.file["time_ns"]
        self.participants = [self.long(one["bic"]) for one in self.file["participants"]]
        self.assets = [asset["code"] for asset in self.file["assets"]]
        issuers = [self.long(asset["issuer"]) for asset in self.file["assets"]]
        self.issuers = [self.participants.index(issuer) for issuer in issuers]
        self.accounts = [self.long(account["account"]) for account in self.file["accounts"]]
        self.voting = self.file.get("voting", {"needed": 0, "voters": []})
        voters = [self.long(voter) for voter in self.voting.get("voters", [])]
        self.voters = sorted(self.participants.index(voter) for voter in voters)
        nodes = self.file["nodes"]
        self.cosigners = {node["id"]: bytes.fromhex(node["cosign_key"]) for node in nodes}
        self.nodes = {node["id"] for node in nodes if not node.get("standby")}
        self.ids = set()
        self.commands = self.all_commands()

    @staticmethod
    def long(name):
        """A BIC, or a name that begins with one, in its long form."""
        bic, slash, rest = name.partition("/")
        return f"{bic}{'XXX' * (len(bic) == 8)}{slash}{rest}"

    def place(self, name):
        """Owner, asset and label of an account."""
        bic, code, label = (name + "/").split("/")[:3]
        return self.participants.index(bic), self.assets.index(code), label

    def name(self, number):
        return self.accounts[number] if number < len(self.accounts) else number

    def all_commands(self):
        """The canonical bytes of the commands that the ledger applies first."""
        commands = [struct.pack("<BBHH", 9, 0, 0, self.rules)] if self.rules != 1 else []

        def with_id(kind, made, rest):
            self.ids.add(made)
            commands.append(bytes([kind, 0, 0, 0]) + made + rest)

        for bic, one in zip(self.participants, self.file["participants"]):
            keys = [bytes.fromhex(key) for key in one["signing_keys"]]
            head = struct.pack("<BBH", 7, 0, len(keys)) + bic.encode() + short(one["name"])
            commands.append(head + bytes.fromhex(one["sealing_key"]) + b"".join(keys))
        for issuer, one in zip(self.issuers, self.file["assets"]):
            rest = struct.pack("<BI", one["exponent"], issuer)
            commands.append(bytes([8, 0, 0, 0]) + short(one["code"]) + rest)
        for number, one in enumerate(self.file["accounts"]):
            owner, asset, label = self.place(self.accounts[number])
            commands.append(struct.pack("<BBHII", 4, 0, 0, owner, asset) + short(label))
            if floor := one.get("floor", 0):
                made = made_id(b"corridor genesis floor", struct.pack("<I", number))
                with_id(5, made, struct.pack("<Iq", number, floor))
        for one in self.file.get("funding", []):
            number = self.accounts.index(self.long(one["account"]))
            made = bytes.fromhex(one["id"].replace("-", ""))
            with_id(2, made, struct.pack("<IQ", number, one["amount"]))
        if "voting" in self.file:
            rest = struct.pack("<IQBHH", 0, 0, 10, self.voting.get("needed", 0), len(self.voters))
            voters = [struct.pack("<I", voter) for voter in self.voters]
            with_id(30, made_id(b"corridor genesis voting"), rest + b"".join(voters))
        return commands

    def posted(self):
        posted = [0] * len(self.accounts)
        for funding in self.file.get("funding", []):
            posted[self.accounts.index(self.long(funding["account"]))] += funding["amount"]
        return posted

    def state_root(self):
        u32 = lambda number: struct.pack("<I", number)
        i128 = lambda number: number.to_bytes(16, "little", signed=True)
        places, leaves, names = [self.place(name) for name in self.accounts], [], bytes(32)
        issued, posted = [0] * len(self.assets), self.posted()
        for (owner, asset, label), balance, one in zip(places, posted, self.file["accounts"]):
            issued[asset] += balance
            floor = struct.pack("<qIIB", one.get("floor", 0), owner, asset, 1)
            leaves.append(sha256(b"\0", i128(balance), i128(0), floor))
            names = sha256(names, u32(owner), u32(asset), short(label))
        participants, assets = u32(len(self.participants)), u32(len(self.assets))
        for bic, one in zip(self.participants, self.file["participants"]):
            keys = [bytes.fromhex(key) for key in one["signing_keys"]]
            participants += bic.encode() + short(one["name"]) + bytes.fromhex(one["sealing_key"])
            participants += bytes([len(keys)]) + b"".join(keys)
        for issuer, sum_issued, one in zip(self.issuers, issued, self.file["assets"]):
            assets += short(one["code"]) + struct.pack("<BI", one["exponent"], issuer)
            assets += i128(sum_issued) + i128(0)
        later = b""
        if self.rules != 1:
            later = struct.pack("<HQQQBII", self.rules, 2**63, 2**63 - 1, 0, 0, 0, 0) + tree([])
            needed = self.voting.get("needed", 0)
            if needed or self.voters:
                tables = struct.pack("<HI", needed, len(self.voters))
                tables += b"".join(u32(voter) for voter in self.voters) + bytes(1 + 9 * 4)
                later += b"G" + sha256(tables)
        digest = sha256(b"corridor genesis", struct.pack("<Q", self.time), *self.commands)
        head = b"corridor state root" + bytes([1 if self.rules == 1 else 2]) + digest
        roots = u32(len(leaves)) + tree(leaves) + names + sha256(participants) + sha256(assets)
        return sha256(head, roots, struct.pack("<Q", len(self.ids)), later)

    def check_policy(self, policy):
        need(policy.origin == f"corridor/{self.network}", "the policy is of another network")
        known = set(policy.node_keys()) <= set(self.cosigners.values())
        need(known, "the policy names other keys than the genesis file")


# The ledger: names, keys and balances as they follow from the genesis file and the records.


class Keys:
    """Which keys count, of each participant, in the order of their addition."""

    def __init__(self):
        self.of, self.planned = {}, []

    def add(self, participant, key, begins=None):
        own = self.of.setdefault(participant, [])
        own.append({"key": key, "counts": begins is None, "over": False, "ends": None})
        if begins is not None:
            heapq.heappush(self.planned, (begins, participant, len(own) - 1))

    def end(self, participant, key, time=None):
        for at, one in enumerate(self.of.get(participant, [])):
            if one["key"] == key and not one["over"]:
                one["ends"] = time
                if time is None:
                    one["counts"], one["over"] = False, True
                elif one["counts"]:
                    heapq.heappush(self.planned, (time, participant, at))

    def open_block(self, time):
        turned = 0
        while self.planned and self.planned[0][0] <= time and turned < 4_096:
            due, participant, at = heapq.heappop(self.planned)
            one = self.of[participant][at]
            if one["over"] or one["counts"] and one["ends"] != due:
                continue
            turned += 1
            one["over"] = one["counts"]
            one["counts"] = not one["counts"]
            if one["counts"] and one["ends"] is not None:
                heapq.heappush(self.planned, (one["ends"], participant, at))

    def counts(self, participant, key):
        return any(one["key"] == key and one["counts"] for one in self.of.get(participant, []))


# What has no id of its own: `id` is then what the command is about.
NO_ID = (4, 7, 8, 9, 10, 11, 12, 13, 31, 32, 33, 35, 36, 51, 54)
LEAVES_ID_UNUSED = (100, 101, 110, 120, 160, 162, 220, 450, 460, 461, 502, 510)
WHO_IS_BLOCKED_MAY = (11, 13, 32, 36)
MAY_WAIT = {2: (1,), 3: (1, 2, 3, 30, 34, 38), 4: (1,)}
BLOCK_ORDER = {"batch": 0, "command": 0, "progress": 1, "exchange": 2, "notice": 3, "step": 4}


class Ledger:
    """Applies records block by block, and holds them to what can be said without the rules."""

    def __init__(self, genesis):
        self.genesis, self.rules, self.time = genesis, genesis.rules, genesis.time
        self.names, self.posted = list(genesis.accounts), genesis.posted()
        self.places = [genesis.place(name)[:2] for name in genesis.accounts]
        self.bics, self.assets = list(genesis.participants), list(genesis.assets)
        self.issuers, self.voters = list(genesis.issuers), list(genesis.voters)
        self.keys, self.states, self.accepting, self.quotes = Keys(), {}, set(), {}
        self.voting, self.decided, self.gone = set(genesis.nodes), set(), set()
        for number, one in enumerate(genesis.file["participants"]):
            for key in one["signing_keys"]:
                self.keys.add(number, bytes.fromhex(key))
        self.answered, self.waiting, self.by_id = {}, {}, {}
        self.leaf = self.height = 0
        self.first_leaf, self.previous, self.block = 1, None, []
        self.counts = {"batches": 0, "signatures": 0, "commands": 0, "settled": 0}

    def take(self, data):
        record = read_record(data)
        record["leaf_of"] = self.leaf
        if self.leaf == 0:
            need(record["record"] == "genesis", "genesis is leaf 0")
            need(record["network"] == self.genesis.network, "the genesis of another network")
            own = self.genesis.state_root().hex()
            need(record["state_root"] == own, "the genesis file leads to another state root")
            self.previous = leaf_hash(data)
        elif record["record"] == "seal":
            self.seal(record)
            self.previous, self.first_leaf, self.block = leaf_hash(data), self.leaf + 1, []
        else:
            need(record["record"] != "genesis", "a second genesis")
            self.block.append(record)
        self.leaf += 1

    def seal(self, seal):
        """Checks and applies a whole block."""
        commands = {one["leaf_of"]: one for one in self.block if one["record"] == "command"}
        fits = (
            seal["height"] == self.height + 1 and seal["time"] > self.time
            and seal["first_leaf"] == self.first_leaf and seal["previous"] == self.previous
            and seal["records"] == len(self.block) and seal["commands"] == len(commands)
        )
        need(fits, f"the seal at leaf {self.leaf} does not fit")
        orders = [BLOCK_ORDER[one["record"]] for one in self.block]
        need(orders == sorted(orders), f"the block before leaf {self.leaf} is out of order")
        self.height, self.time, self.commands = seal["height"], seal["time"], commands
        self.keys.open_block(self.time)
        # What a command brought about happened at its leaf, though it is told at the end.
        self.told = [one for one in self.block if one["record"] == "progress"]
        self.at_leaf = {}
        for one in self.told:
            if one["cause"] == 1 and one["code"] == 1:
                self.at_leaf.setdefault(one["number"], []).append(one)
        at = 0
        while at < len(self.block) and self.block[at]["record"] in ("batch", "command"):
            batch = self.block[at]
            need(batch["record"] == "batch", "a command of no batch")
            own = self.block[at + 1 : at + 1 + batch["count"]]
            whole = len(own) == batch["count"] and all(c["record"] == "command" for c in own)
            need(own and whole, "commands of a batch are missing")
            self.batch(batch, own)
            at += 1 + len(own)
        for one in self.told:
            self.progress(one)
        rest = self.block[at + len(self.told) :]
        exchanges = [one for one in rest if one["record"] == "exchange"]
        ordered = [c for c in commands.values() if c["kind"] == 52 and self.is_new(c)]
        need(len(ordered) == len(exchanges), "exchanges without commands, or commands without")
        for command, exchange in zip(ordered, exchanges):
            self.exchange(command, exchange)
        steps = [one for one in rest if one["record"] == "step"]
        need(len(steps) < 2 and not (steps and commands), "a step is not alone")
        for step in steps:
            self.step(step)

    @staticmethod
    def is_new(command):
        """Whether it settled at once, and not before."""
        return command["code"] == 1 and "original_leaf" not in command

    def batch(self, batch, commands):
        need(batch["network"] == self.genesis.network, "a batch for another network")
        need(batch["epoch"] == 1, "a batch of another epoch")
        data = b"".join(one["bytes"] for one in commands)
        need(len(data) == batch["length"], "the commands have another length")
        signers = dict(batch["signers"])
        need(len(signers) == len(batch["signers"]), "somebody signs twice")
        need(batch["submitter"] in signers, "the submitter did not sign")
        whole = len(batch["header"] + data + batch["signed"]) + 64 * len(signers)
        need(batch["count"] <= 8_192 and whole <= 700 << 10, "the batch is too long")
        digest = sha256(b"corridor batch v1\0", batch["header"], data, batch["signed"])
        for (participant, key), signature in zip(batch["signers"], batch["signatures"]):
            holds = signed_by(key, digest, signature, in_block=True)
            need(holds, f"participant {participant} did not sign this")
            self.counts["signatures"] += 1
        self.counts["batches"] += 1
        removed = [one for one in signers if self.states.get(one) == 5]
        counting = all(self.keys.counts(one, key) for one, key in signers.items())
        counting = counting and not removed
        blocked = any(self.states.get(one) == 4 for one in signers)
        for command in commands:
            at, code = command["leaf_of"], command["code"]
            need((code == 101) == (not counting), f"leaf {at}: {code}, for keys that count or not")
            stopped = counting and blocked and command["kind"] not in WHO_IS_BLOCKED_MAY
            need((code == 450) == stopped, f"leaf {at}: {code}, for a signer that is blocked or not")
            if code < 100:
                repeats = "original_leaf" in command
                valid = repeats or batch["valid_until"] >= self.time
                need(valid, f"leaf {at}: its batch was no longer valid")
                signed = self.is_signed(command, signers)
                need(signed, f"leaf {at}: who must sign this {command['command']} has not")
            self.command(command, signers)
            for one in self.at_leaf.get(at, []):
                need(one["leaf"] in self.waiting, f"leaf {at} ends what did not wait")
                self.settle(self.waiting[one["leaf"]])

    # Who must sign.

    def owner(self, account):
        need(account < len(self.places), f"account {account} was never opened")
        return self.places[account][0]

    def issuer(self, account):
        need(account < len(self.places), f"account {account} was never opened")
        return self.issuers[self.places[account][1]]

    def is_voter(self, participant):
        named = not self.voters or participant in self.voters
        return named and self.states.get(participant) not in (4, 5)

    def begun(self, command, kinds):
        """The command that waits under the id."""
        found = self.waiting.get(self.by_id.get(command["id"]))
        need(found and found["kind"] in kinds, f"{command['id']} does not wait")
        return found

    def two_of(self, act):
        """Whose people it takes."""
        if act["kind"] in (2, 3):
            return self.issuer(act["account"])
        return act["participant"] if act["kind"] == 34 else self.issuers[act["asset"]]

    def is_signed(self, command, signers):
        kind = command["kind"]
        if kind == 1:
            return self.is_paid_by(command, signers)
        if kind in (2, 5, 55):
            return self.issuer(command["account"]) in signers
        if kind == 3:
            owner = self.owner(command["account"])
            agreed = owner in signers or self.states.get(owner) == 5
            return agreed and self.issuer(command["account"]) in signers
        if kind == 4:
            return command["owner"] in signers
        if kind == 6:
            closes = command["status"] == 5 and self.owner(command["account"]) in signers
            return closes or self.issuer(command["account"]) in signers
        if kind == 14 and "original_leaf" in command:
            return True
        if kind in (10, 11, 12, 13, 14):
            return self.is_about(kind, self.begun(command | self.about(command), (1,)), signers)
        if kind == 20 and command["by"] == 2:
            return self.issuer(command["account"]) in signers
        if kind in (20, 21, 22, 23, 54):
            return self.owner(command["account"]) in signers
        if kind in (24, 34, 35, 36, 37, 60, 61):
            return command["participant"] in signers
        if kind == 30:
            return command["proposer"] in signers and self.is_voter(command["proposer"])
        if kind == 31:
            proposer = self.begun(command, (30,))["proposer"]
            return any(one != proposer and self.is_voter(one) for one in signers)
        if kind in (32, 33):
            begun = self.begun(command, (2, 3, 30, 34, 38) if kind == 32 else (2, 3, 34, 38))
            of = begun["proposer"] if begun["kind"] == 30 else self.two_of(begun)
            second = kind == 32 or signers.get(of) != begun["signers"].get(of)
            return of in signers and second
        if kind == 38:
            return command["asset"] < len(self.issuers) and self.issuers[command["asset"]] in signers
        if kind == 50:
            owner = self.owner(command["gives"])
            replaced = self.quotes.get(command.get("replaces"), owner)
            same = owner == self.owner(command["receives"]) == replaced
            return same and owner in signers
        if kind == 51:
            return self.quotes.get(command["id"]) in signers
        if kind == 52:
            accepts = command["credit"] not in self.accepting
            accepts = accepts or self.owner(command["credit"]) in signers
            return self.owner(command["debit"]) in signers and (accepts or "original_leaf" in command)
        # 7, 8 and 9 are left, which nobody can sign.
        return kind == 53 and self.owner(command["original"]["credit"]) in signers

    @staticmethod
    def about(command):
        return {"id": command["transfer"]} if command["kind"] == 14 else {}

    def is_paid_by(self, transfer, signers):
        payers = {self.owner(leg["debit"]) for leg in transfer["legs"]}
        conditions = transfer.get("options", {}).get("conditions", [])
        asked = {one.get("approval") for one in conditions if self.rules > 1}
        return bool(payers & set(signers)) and payers <= set(signers) | asked

    def is_about(self, kind, transfer, signers):
        """Whether a signer has a part in a waiting transfer that lets it send this kind of command."""
        if kind == 12:
            return True
        if kind in (13, 14):
            return any(self.owner(leg["debit"]) in signers for leg in transfer["legs"])
        credited = [leg["credit"] for leg in transfer["legs"]]
        if kind == 10:
            # Acceptance as it was set when the transfer came.
            credited = [account for account in credited if account in transfer["accepting"]]
        if any(self.owner(account) in signers for account in credited):
            return True
        keys = {key.hex() for key in signers.values()}
        for one in transfer.get("options", {}).get("conditions", []):
            members = one.get("members", [one.get("approval"), one.get("key")])
            if any(member in keys or member in signers for member in members):
                return True
        return False

    # What happens.

    def command(self, record, signers):
        at, code, kind = record["leaf_of"], record["code"], record["kind"]
        self.counts["commands"] += 1
        self.counts["settled"] += code == 1
        own_id = None if kind in NO_ID else bytes.fromhex(record["id"].replace("-", ""))
        if "original_leaf" in record:
            self.repeats(record, own_id)
            return
        if own_id and code not in LEAVES_ID_UNUSED:
            fresh = own_id not in self.answered and own_id not in self.genesis.ids
            need(fresh, f"leaf {at} uses an id again")
            self.answered[own_id] = (at, code, record["bytes"])
        if code == 1:
            self.settle(record)
        elif code < 100:
            need(kind in MAY_WAIT[code], f"leaf {at}: a {record['command']} does not wait")
            record["signers"] = signers
            record["accepting"] = {c for c in self.accepting if kind == 1}
            self.waiting[at], self.by_id[record["id"]] = record, at

    def repeats(self, record, own_id):
        at, code, original = record["leaf_of"], record["code"], record["original_leaf"]
        if original == REPEATS_GENESIS:
            same = own_id in self.genesis.ids and record["bytes"] in self.genesis.commands
            need(same and code == 1, f"leaf {at} repeats what genesis did not have")
        else:
            first = self.answered.get(own_id)
            same = first == (original, code, record["bytes"])
            need(same, f"leaf {at} repeats what leaf {original} does not have")

    def move(self, debit, credit, minor):
        for account, signed in ((debit, -minor), (credit, minor)):
            if account is not None:
                need(account < len(self.places), f"account {account} was never opened")
                self.posted[account] += signed
        if debit is not None and credit is not None:
            same = self.places[debit][1] == self.places[credit][1]
            need(same, f"accounts {debit} and {credit} hold two assets")

    def settle(self, command):
        """What a command does when it settles, at once or later."""
        kind = command["kind"]
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
            known = command["owner"] < len(self.bics) and command["asset"] < len(self.assets)
            need(known, "an account of nobody, or in nothing")
            name = f"{self.bics[command['owner']]}/{self.assets[command['asset']]}"
            self.names.append(name + (f"/{command['label']}" if command["label"] else ""))
            self.places.append((command["owner"], command["asset"]))
            self.posted.append(0)
        elif kind == 22 and command["nanoseconds"]:
            self.accepting.add(command["account"])
        elif kind == 22:
            self.accepting.discard(command["account"])
        elif kind == 34:
            self.keys.add(command["participant"], bytes.fromhex(command["key"]), command["time"])
        elif kind in (35, 36):
            key = bytes.fromhex(command["key"])
            self.keys.end(command["participant"], key, command.get("time"))
        elif kind == 50:
            self.quotes[command["id"]] = self.owner(command["gives"])
        elif kind == 30:
            self.settle_content(command["content"])

    def settle_content(self, content):
        kind, inner = content["content"], content.get("command", {})
        if kind == 1:
            for key in inner["signing_keys"]:
                self.keys.add(len(self.bics), bytes.fromhex(key))
            self.bics.append(inner["bic"])
        elif kind == 2:
            self.states[content["participant"]] = content["state"]
        elif kind == 3:
            self.assets.append(inner["code"])
            self.issuers.append(inner["issuer"])
        elif kind in (6, 7):
            self.decided.add(content["node"])
        elif kind == 8:
            self.rules = inner["version"]
        elif kind == 10:
            self.voters = content["voters"]
        elif kind == 11:
            for one in self.keys.of.get(content["participant"], []):
                self.keys.end(content["participant"], one["key"])
            for key in content["signing_keys"]:
                self.keys.add(content["participant"], bytes.fromhex(key))

    def progress(self, record):
        waits = self.waiting.get(record["leaf"])
        need(waits and waits["id"] == record["id"], "progress of what did not wait")
        if record["cause"] == 1:
            by = self.commands.get(record["number"])
            need(by and self.is_new(by), "progress by a command that is not in the block")
        elif record["code"] == 1:
            self.settle(waits)
        need(record["cause"] != 20 or record["code"] in (2, 3, 4), "a till of what waits no more")
        if record["code"] == 1 or record["code"] >= 100:
            del self.waiting[record["leaf"]], self.by_id[record["id"]]

    def exchange(self, command, exchange):
        same = (exchange["id"], exchange["leaf"]) == (command["id"], command["leaf_of"])
        need(same, "an exchange that nobody ordered")
        paid, delivered = exchange["paid"], exchange["delivered"]
        if command["spend"]:
            within = paid == command["exact"] and delivered >= command["limit"]
        else:
            within = delivered == command["exact"] and paid <= command["limit"]
        need(within, "an exchange beyond its limit")
        moves = [(command["debit"], -paid), (command["credit"], delivered)]
        for fill in exchange["fills"]:
            moves += [(fill["receives"], fill["took"]), (fill["gives"], -fill["gave"])]
            provider = self.quotes.get(fill["quote"])
            own = provider == self.owner(fill["gives"]) == self.owner(fill["receives"])
            need(own, "a fill of a quote that is not there")
        sums = {}
        for account, signed in moves:
            asset = self.places[account][1]
            sums[asset] = sums.get(asset, 0) + signed
            self.posted[account] += signed
        need(not any(sums.values()), "an exchange makes money")

    def step(self, step):
        node = step["node"]
        need(node in self.decided and node not in self.gone, f"nobody decided on node {node}")
        if step["seat"] == 2:
            self.voting.add(node)
        elif step["seat"] == 3:
            self.voting.discard(node)
            self.gone.add(node)


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
    voting = sorted(genesis.cosigners[node] for node in ledger.voting)
    need(policy.node_keys() == voting, "the policy names other nodes than those that vote")
    balances = {name: str(posted) for name, posted in zip(ledger.names, ledger.posted)}
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


def sealed_anew(records):
    """The records with seals that follow from them, where only their bytes were changed."""
    told, previous = [], leaf_hash(records[0])
    for data in records:
        if data[0] == 3:
            data = data[:34] + previous + data[66:]
            previous = leaf_hash(data)
        told.append(data)
    return told


def lies(folder, policy, genesis_data):
    """Tells lies about a log, each of which must be refused."""
    mirror = Mirror(folder)
    newest = policy.judge(mirror.read("checkpoint"))
    records = mirror.records(newest, mirror.leaves(newest))
    told, refused, believed = 0, 0, []

    def tell(lie, records, change=None):
        nonlocal told, refused
        genesis = Genesis(genesis_data)
        if change:
            genesis.state_root = lambda: bytes.fromhex(decoded[0]["state_root"])
            change(genesis)
        told += 1
        try:
            ledger = Ledger(genesis)
            for data in sealed_anew(records):
                ledger.take(data)
            believed.append(lie)
        except Refused:
            refused += 1

    def with_record(at, data):
        return [*records[:at], data, *records[at + 1 :]]

    decoded = [read_record(data) for data in records]
    new = [at for at, one in enumerate(decoded) if one["record"] == "command" and Ledger.is_new(one)]
    for at in (new[0], new[len(new) // 2], new[-1]):
        data = records[at]
        for code in (101, 450):
            tell(f"{code} at leaf {at}", with_record(at, data[:2] + struct.pack("<H", code) + data[4:]))
        for original in (0, at - 1, REPEATS_GENESIS):
            flagged = data[:4] + b"\1\0" + struct.pack("<Q", original) + data[6:]
            tell(f"leaf {at} repeats {original}", with_record(at, flagged))
    root = bytearray(records[0])
    root[40] ^= 1
    tell("another state root of genesis", with_record(0, bytes(root)))

    # The last block with a transfer once more: the banks have signed that, but once.
    seals = [at for at, one in enumerate(decoded) if one["record"] == "seal"]
    transfers = [at for at in new if decoded[at]["kind"] == 1]
    seal = next(at for at in seals if at > transfers[-1])
    block = decoded[seal]
    again = struct.pack("<QQQ", block["height"] + 1, block["time"] + 1, seal + 1)
    once_more = [*records[block["first_leaf"] : seal], records[seal][:2] + again + records[seal][26:]]
    tell("a block twice", [*records[: seal + 1], *once_more])

    paid = decoded[transfers[0]]["legs"][0]

    def other_owner(genesis):
        one, other = paid["debit"], paid["credit"]
        names = genesis.accounts
        names[one], names[other] = names[other], names[one]

    def other_keys(genesis):
        one, other = genesis.file["participants"][:2]
        keys = one["signing_keys"], other["signing_keys"]
        other["signing_keys"], one["signing_keys"] = keys

    def not_yet(genesis):
        genesis.time = decoded[seals[0]]["time"]

    tell("accounts of others are debited", records, other_owner)
    tell("keys of others count", records, other_keys)
    tell("a block at the time of genesis", records, not_yet)
    return {"lies": told, "refused": refused, "believed": believed}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=["receipt", "checkpoint", "ledger", "flips", "lies"])
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
        elif arguments.what == "lies":
            need(genesis, "a ledger is verified from its genesis file")
            found = lies(arguments.path, policy, arguments.genesis.read_bytes())
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
