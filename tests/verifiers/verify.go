// Verifies what the nodes of a network wrote with other people's code: golang.org/x/mod/sumdb/note and tlog.
//
//	verify check DIR   everything in the folder holds
//	verify flips DIR   and no single bit of any of its files can be changed without being refused
//
// The folder holds ledger.policy, receipts/*.tlog-proof and mirror/ (checkpoint, checkpoints/*, tile/...). Only the
// cosignature of type 0x04, the policy and the receipt's frame are written here, from ops/docs/formats.md.
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Hashes of a full tile are 2^tileHeight.
const tileHeight = 8

// cosigner verifies signatures of type 0x04: a time and the checkpoint are what is signed.
type cosigner struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func (c *cosigner) Name() string    { return c.name }
func (c *cosigner) KeyHash() uint32 { return c.hash }
func (c *cosigner) Verify(text, signature []byte) bool {
	if len(signature) != 8+ed25519.SignatureSize {
		return false
	}
	time := binary.BigEndian.Uint64(signature)
	if time > math.MaxInt64 {
		return false
	}
	signed := fmt.Sprintf("cosignature/v1\ntime %d\n%s", time, text)
	return ed25519.Verify(c.key, []byte(signed), signature[8:])
}

// strict decodes base64 that has the one spelling of its bytes.
func strict(text string) ([]byte, error) {
	decoded, err := base64.StdEncoding.DecodeString(text)
	if err != nil || base64.StdEncoding.EncodeToString(decoded) != text {
		return nil, fmt.Errorf("%q is no base64", text)
	}
	return decoded, nil
}

func decimal(text string) (int64, error) {
	number, err := strconv.ParseInt(text, 10, 64)
	if err != nil || number < 0 || strconv.FormatInt(number, 10) != text {
		return 0, fmt.Errorf("%q is no number", text)
	}
	return number, nil
}

func hashOf(text string) (hash tlog.Hash, err error) {
	decoded, err := strict(text)
	if err != nil || len(decoded) != tlog.HashSize {
		return hash, fmt.Errorf("%q is no hash", text)
	}
	copy(hash[:], decoded)
	return hash, nil
}

// verifierKey reads NAME+ID+BASE64 and gives the key only if it is spelt in the one way and of the wanted type.
func verifierKey(text string, kind byte) (*cosigner, error) {
	parts := strings.SplitN(text, "+", 3)
	if len(parts) != 3 || parts[0] == "" {
		return nil, fmt.Errorf("%q is no verifier key", text)
	}
	material, err := strict(parts[2])
	if err != nil || len(material) != 1+ed25519.PublicKeySize || material[0] != kind {
		return nil, fmt.Errorf("%q is no key of type %#x", text, kind)
	}
	digest := sha256.Sum256(append([]byte(parts[0]+"\n"), material...))
	hash := binary.BigEndian.Uint32(digest[:])
	if parts[1] != fmt.Sprintf("%08x", hash) {
		return nil, fmt.Errorf("the id of %q is not its own", text)
	}
	return &cosigner{parts[0], hash, material[1:]}, nil
}

// member is a witness (by its key) or a group.
type member struct {
	key       *cosigner
	threshold int
	members   []string
}

type policy struct {
	origin    string
	logs      map[uint32]ed25519.PublicKey
	known     map[string]*member
	quorum    string
	verifiers note.Verifiers
}

func readPolicy(text []byte) (*policy, error) {
	p := &policy{logs: map[uint32]ed25519.PublicKey{}, known: map[string]*member{}}
	var list []note.Verifier
	used := map[string]bool{}
	if !bytes.HasSuffix(text, []byte("\n")) {
		return nil, errors.New("the policy's last line is not ended")
	}
	for _, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		for _, c := range []byte(line) {
			if c < 0x20 && c != '\t' || c == 0x7f {
				return nil, fmt.Errorf("%q is no line of text", line)
			}
		}
		items := strings.FieldsFunc(line, func(c rune) bool { return c == ' ' || c == '\t' })
		if len(items) == 0 || items[0][0] == '#' {
			continue
		}
		switch {
		case items[0] == "log" && len(items) == 2:
			key, err := verifierKey(items[1], 1)
			if err != nil {
				return nil, err
			}
			verifier, err := note.NewVerifier(items[1])
			if err != nil {
				return nil, err
			}
			if p.origin != "" && p.origin != key.name || p.logs[key.hash] != nil {
				return nil, fmt.Errorf("%q: another origin, or a key twice", line)
			}
			p.origin, p.logs[key.hash] = key.name, key.key
			list = append(list, verifier)
		case items[0] == "witness" && len(items) == 3:
			key, err := verifierKey(items[2], 4)
			if err != nil {
				return nil, err
			}
			if p.known[items[1]] != nil || items[1] == "none" {
				return nil, fmt.Errorf("%q: the name is taken", line)
			}
			p.known[items[1]] = &member{key: key}
			list = append(list, key)
		case items[0] == "group" && len(items) > 3:
			group := &member{members: items[3:]}
			for _, name := range group.members {
				if p.known[name] == nil || used[name] {
					return nil, fmt.Errorf("%q: %s is unknown or in a group already", line, name)
				}
				used[name] = true
			}
			switch items[2] {
			case "all":
				group.threshold = len(group.members)
			case "any":
				group.threshold = 1
			default:
				number, err := decimal(items[2])
				if err != nil || number < 1 || number > int64(len(group.members)) {
					return nil, fmt.Errorf("%q: no threshold", line)
				}
				group.threshold = int(number)
			}
			if p.known[items[1]] != nil || items[1] == "none" {
				return nil, fmt.Errorf("%q: the name is taken", line)
			}
			p.known[items[1]] = group
		case items[0] == "quorum" && len(items) == 2 && p.quorum == "":
			if p.known[items[1]] == nil {
				return nil, fmt.Errorf("%q: unknown", line)
			}
			p.quorum = items[1]
		default:
			return nil, fmt.Errorf("%q is no line of a policy", line)
		}
	}
	p.verifiers = note.VerifierList(list...)
	return p, p.isFinalityRule()
}

// isFinalityRule: exactly floor((n+f)/2)+1 of the n nodes, which are also those that sign as the log.
func (p *policy) isFinalityRule() error {
	group := p.known["final"]
	if p.quorum != "final" || group == nil || group.key != nil {
		return errors.New("the policy does not ask for the group of the nodes")
	}
	n := len(group.members)
	f := (n - 1) / 3
	if n >= 2 && f < 1 {
		f = 1
	}
	if group.threshold != (n+f)/2+1 || n != len(p.logs) {
		return errors.New("the policy does not ask for the finality rule")
	}
	for _, name := range group.members {
		found := false
		for _, key := range p.logs {
			witness := p.known[name].key
			found = found || witness != nil && bytes.Equal(key, witness.key)
		}
		if !found {
			return fmt.Errorf("%s does not sign as the log", name)
		}
	}
	return nil
}

func (p *policy) reached(name string, signed map[string]bool) bool {
	m := p.known[name]
	if m.key != nil {
		return signed[m.key.name]
	}
	count := 0
	for _, inner := range m.members {
		if p.reached(inner, signed) {
			count++
		}
	}
	return count >= m.threshold
}

// judge opens a checkpoint with all keys of the policy: one that is wrong condemns it.
func (p *policy) judge(signedNote []byte) (tree tlog.Tree, err error) {
	end := bytes.LastIndex(signedNote, []byte("\n\n"))
	if end < 0 {
		return tree, errors.New("no signatures")
	}
	// note.Open also takes base64 with unused bits set.
	for _, line := range strings.Split(strings.TrimSuffix(string(signedNote[end+2:]), "\n"), "\n") {
		if _, err := strict(line[strings.LastIndex(line, " ")+1:]); err != nil {
			return tree, err
		}
	}
	opened, err := note.Open(signedNote, p.verifiers)
	if err != nil {
		return tree, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[3] != "" || lines[0] != p.origin {
		return tree, fmt.Errorf("no checkpoint of %s", p.origin)
	}
	if tree.N, err = decimal(lines[1]); err != nil {
		return tree, err
	}
	if tree.Hash, err = hashOf(lines[2]); err != nil {
		return tree, err
	}
	asLog, signed := false, map[string]bool{}
	for _, s := range opened.Sigs {
		if s.Name == p.origin && p.logs[s.Hash] != nil {
			asLog = true
		} else {
			signed[s.Name] = true
		}
	}
	if !asLog || !p.reached(p.quorum, signed) {
		return tree, fmt.Errorf("signed as the log: %v; cosigned by %d", asLog, len(signed))
	}
	return tree, nil
}

// receipt checks a .tlog-proof and gives the record.
func (p *policy) receipt(text []byte) ([]byte, error) {
	head, signedNote, found := strings.Cut(string(text), "\n\n")
	lines := strings.Split(head, "\n")
	if !found || len(lines) < 3 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return nil, errors.New("no receipt")
	}
	extra, index := strings.TrimPrefix(lines[1], "extra "), strings.TrimPrefix(lines[2], "index ")
	if extra == lines[1] || index == lines[2] {
		return nil, errors.New("no record or no index")
	}
	record, err := strict(extra)
	if err != nil {
		return nil, err
	}
	at, err := decimal(index)
	if err != nil {
		return nil, err
	}
	var proof tlog.RecordProof
	for _, line := range lines[3:] {
		hash, err := hashOf(line)
		if err != nil {
			return nil, err
		}
		proof = append(proof, hash)
	}
	tree, err := p.judge([]byte(signedNote))
	if err != nil {
		return nil, err
	}
	return record, tlog.CheckRecord(proof, tree.N, tree.Hash, at, tlog.RecordHash(record))
}

// files are the tiles and bundles of a mirror by their names. It is what tlog reads tiles from.
type files map[string][]byte

func tileName(t tlog.Tile) string {
	return "tile/" + strings.TrimPrefix(t.Path(), fmt.Sprintf("tile/%d/", tileHeight))
}

func (f files) Height() int                             { return tileHeight }
func (f files) SaveTiles(tiles []tlog.Tile, d [][]byte) {}
func (f files) ReadTiles(tiles []tlog.Tile) (data [][]byte, err error) {
	for _, t := range tiles {
		tile, found := f[tileName(t)]
		if !found || len(tile) != t.W*tlog.HashSize {
			return nil, fmt.Errorf("%s is missing or of another length", tileName(t))
		}
		data = append(data, tile)
	}
	return data, nil
}

// bundleName is the name of the records of the tile of level 0 with this number.
func bundleName(number, size int64) (name string, width int) {
	tile := tlog.Tile{H: tileHeight, L: 0, N: number, W: 1 << tileHeight}
	if size < (number+1)<<tileHeight {
		tile.W = int(size - number<<tileHeight)
	}
	return strings.Replace(tileName(tile), "tile/0/", "tile/entries/", 1), tile.W
}

// checkBundle compares records with the hashes of their leaves.
func checkBundle(bundle []byte, leaves []tlog.Hash) error {
	for at, leaf := range leaves {
		if len(bundle) < 2 || len(bundle) < 2+int(binary.BigEndian.Uint16(bundle)) {
			return fmt.Errorf("entry %d is cut short", at)
		}
		length := int(binary.BigEndian.Uint16(bundle))
		if tlog.RecordHash(bundle[2:2+length]) != leaf {
			return fmt.Errorf("entry %d is not the leaf", at)
		}
		bundle = bundle[2+length:]
	}
	if len(bundle) != 0 {
		return errors.New("bytes after the last entry")
	}
	return nil
}

// stored are the hashes of a whole log, computed from its leaves.
type stored []tlog.Hash

func (s stored) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, len(indexes))
	for at, index := range indexes {
		found[at] = s[index]
	}
	return found, nil
}

// leafHashes reads the tiles of a tree, recomputes everything from the leaves, and compares all tiles with that.
// tlog.TileHashReader alone is not enough: it may leave a full tile unread whose parent it has read for another reason.
func leafHashes(tree tlog.Tree, f files) ([]tlog.Hash, error) {
	var leaves []tlog.Hash
	var all stored
	for number := int64(0); number<<tileHeight < tree.N; number++ {
		tile := tlog.Tile{H: tileHeight, L: 0, N: number, W: widthAt(number, tree.N)}
		data, err := f.ReadTiles([]tlog.Tile{tile})
		if err != nil {
			return nil, err
		}
		for at := 0; at < tile.W; at++ {
			var leaf tlog.Hash
			copy(leaf[:], data[0][at*tlog.HashSize:])
			more, err := tlog.StoredHashesForRecordHash(int64(len(leaves)), leaf, all)
			if err != nil {
				return nil, err
			}
			leaves, all = append(leaves, leaf), append(all, more...)
		}
	}
	root, err := tlog.TreeHash(tree.N, all)
	if err != nil {
		return nil, err
	}
	if root != tree.Hash {
		return nil, errors.New("the tiles lead to another root")
	}
	for level := 1; tree.N>>(tileHeight*uint(level)) > 0; level++ {
		elements := tree.N >> (tileHeight * uint(level))
		for number := int64(0); number<<tileHeight < elements; number++ {
			tile := tlog.Tile{H: tileHeight, L: level, N: number, W: widthAt(number, elements)}
			data, err := f.ReadTiles([]tlog.Tile{tile})
			if err != nil {
				return nil, err
			}
			computed, err := tlog.ReadTileData(tile, all)
			if err != nil {
				return nil, err
			}
			if !bytes.Equal(data[0], computed) {
				return nil, fmt.Errorf("%s is not over the leaves", tileName(tile))
			}
		}
	}
	return leaves, nil
}

// kit is everything of the folder.
type kit struct {
	policyText  []byte
	policy      *policy
	receipts    map[string][]byte
	newest      []byte
	checkpoints map[string][]byte
	files       files
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "verify:", err)
		os.Exit(1)
	}
}

func read(path string) []byte {
	data, err := os.ReadFile(path)
	must(err)
	return data
}

func readAll(pattern string) map[string][]byte {
	found := map[string][]byte{}
	paths, err := filepath.Glob(pattern)
	must(err)
	for _, path := range paths {
		found[filepath.Base(path)] = read(path)
	}
	if len(found) == 0 {
		must(fmt.Errorf("there is nothing like %s", pattern))
	}
	return found
}

func readKit(dir string) *kit {
	k := &kit{
		policyText:  read(filepath.Join(dir, "ledger.policy")),
		receipts:    readAll(filepath.Join(dir, "receipts", "*.tlog-proof")),
		newest:      read(filepath.Join(dir, "mirror", "checkpoint")),
		checkpoints: readAll(filepath.Join(dir, "mirror", "checkpoints", "*")),
		files:       files{},
	}
	mirror := filepath.Join(dir, "mirror")
	must(filepath.Walk(filepath.Join(mirror, "tile"), func(path string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() {
			name, inner := filepath.Rel(mirror, path)
			must(inner)
			k.files[filepath.ToSlash(name)] = read(path)
		}
		return err
	}))
	var err error
	k.policy, err = readPolicy(k.policyText)
	must(err)
	return k
}

// check verifies all that is there; returns the newest tree and its leaves.
func (k *kit) check() (tlog.Tree, []tlog.Hash) {
	for name, text := range k.receipts {
		record, err := k.policy.receipt(text)
		if err != nil {
			must(fmt.Errorf("%s: %w", name, err))
		}
		fmt.Printf("receipt %s holds: a record of %d bytes\n", name, len(record))
	}
	newest, err := k.policy.judge(k.newest)
	must(err)
	leaves, err := leafHashes(newest, k.files)
	must(err)
	for number := int64(0); number<<tileHeight < newest.N; number++ {
		name, width := bundleName(number, newest.N)
		first := number << tileHeight
		if err := checkBundle(k.files[name], leaves[first:first+int64(width)]); err != nil {
			must(fmt.Errorf("%s: %w", name, err))
		}
	}
	fmt.Printf("checkpoint holds: %d leaves, all tiles and entries lead to %v\n", newest.N, newest.Hash)
	reader := tlog.TileHashReader(newest, k.files)
	for name, text := range k.checkpoints {
		old, err := k.policy.judge(text)
		must(err)
		_, err = leafHashes(old, k.files)
		must(err)
		proof, err := tlog.ProveTree(newest.N, old.N, reader)
		must(err)
		must(tlog.CheckTree(proof, newest.N, newest.Hash, old.N, old.Hash))
		fmt.Printf("checkpoint %s holds: the newest goes on from it, by %d hashes\n", name, len(proof))
	}
	return newest, leaves
}

// flips counts the bits whose change is noticed and those whose change is not.
type flips struct {
	refused, accepted uint64
}

// each flips every bit of some bytes. check must give an error for each.
func (f *flips) each(name string, original []byte, check func([]byte) error) {
	must(check(original))
	var group sync.WaitGroup
	workers := runtime.NumCPU()
	for worker := 0; worker < workers; worker++ {
		group.Add(1)
		go func(first int) {
			defer group.Done()
			changed := append([]byte{}, original...)
			for at := first; at < len(changed); at += workers {
				for bit := 0; bit < 8; bit++ {
					changed[at] ^= 1 << bit
					if check(changed) == nil {
						fmt.Printf("NOT NOTICED: bit %d of byte %d of %s\n", bit, at, name)
						atomic.AddUint64(&f.accepted, 1)
					} else {
						atomic.AddUint64(&f.refused, 1)
					}
					changed[at] ^= 1 << bit
				}
			}
		}(worker)
	}
	group.Wait()
	fmt.Printf("%s: %d bits\n", name, 8*len(original))
}

func (k *kit) flip() {
	f := &flips{}
	newest, leaves := k.check()
	names := []string{}
	for name := range k.receipts {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		f.each(name, k.receipts[name], func(changed []byte) error {
			_, err := k.policy.receipt(changed)
			return err
		})
	}
	f.each("checkpoint", k.newest, func(changed []byte) error {
		_, err := k.policy.judge(changed)
		return err
	})
	f.each("ledger.policy", k.policyText, func(changed []byte) error {
		p, err := readPolicy(changed)
		if err == nil {
			_, err = p.receipt(k.receipts[names[0]])
		}
		return err
	})
	for name, data := range k.files {
		if strings.HasPrefix(name, "tile/entries/") {
			continue
		}
		tile, err := tlog.ParseTilePath(fmt.Sprintf("tile/%d/%s", tileHeight, strings.TrimPrefix(name, "tile/")))
		must(err)
		// Narrower tiles of earlier checkpoints were checked with these.
		if tile.W != widthAt(tile.N, newest.N>>(tileHeight*uint(tile.L))) {
			continue
		}
		name := name
		f.each(name, data, func(changed []byte) error {
			other := files{}
			for name, data := range k.files {
				other[name] = data
			}
			other[name] = changed
			_, err := leafHashes(newest, other)
			return err
		})
	}
	for number := int64(0); number<<tileHeight < newest.N; number++ {
		name, width := bundleName(number, newest.N)
		first := number << tileHeight
		own := leaves[first : first+int64(width)]
		f.each(name, k.files[name], func(changed []byte) error { return checkBundle(changed, own) })
	}
	reader := tlog.TileHashReader(newest, k.files)
	for name, text := range k.checkpoints {
		old, err := k.policy.judge(text)
		must(err)
		proof, err := tlog.ProveTree(newest.N, old.N, reader)
		must(err)
		plain := append([]byte{}, old.Hash[:]...)
		for _, hash := range proof {
			plain = append(plain, hash[:]...)
		}
		f.each("root and consistency proof of "+name, plain, func(changed []byte) error {
			var root tlog.Hash
			copy(root[:], changed)
			var path tlog.TreeProof
			for at := tlog.HashSize; at < len(changed); at += tlog.HashSize {
				var hash tlog.Hash
				copy(hash[:], changed[at:])
				path = append(path, hash)
			}
			return tlog.CheckTree(path, newest.N, newest.Hash, old.N, root)
		})
	}
	fmt.Printf("%d bits were flipped, %d flips were refused\n", f.refused+f.accepted, f.refused)
	if f.accepted != 0 {
		os.Exit(1)
	}
}

// widthAt is how many elements the tile with a number has when its level has so many.
func widthAt(number, elements int64) int {
	width := elements - number<<tileHeight
	if width > 1<<tileHeight {
		width = 1 << tileHeight
	}
	return int(width)
}

func main() {
	if len(os.Args) != 3 {
		must(errors.New("usage: verify check|flips DIR"))
	}
	switch k := readKit(os.Args[2]); os.Args[1] {
	case "check":
		k.check()
	case "flips":
		k.flip()
	default:
		must(fmt.Errorf("what is %s?", os.Args[1]))
	}
}
