// A client of a published log that shares no code with it: the notes and trees are those of Go's checksum database
// (golang.org/x/mod/sumdb), the addresses and formats those of C2SP tlog-tiles and tlog-proof.
//
// It reads one log, verifies all of it, and says what it verified. Its exit status is 1 as soon as anything is wrong.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

func main() {
	log.SetFlags(0)
	base := flag.String("log", "", "where the log is published")
	vkey := flag.String("key", "", "the log's verifier key")
	rootVkey := flag.String("root-key", "", "the root log's verifier key; the log's checkpoint must stand in the root log")
	records := flag.Int64("records", 50, "how many records to sample")
	flag.Parse()

	verifier := keyOf(*vkey)
	signed := get(*base + "/checkpoint")
	tree := open(signed, verifier)
	fmt.Printf("checkpoint: %d records, signed by %s\n", tree.N, verifier.Name())

	reader := tlog.TileHashReader(tree, &tiles{base: *base})
	hash, err := tlog.TreeHash(tree.N, reader)
	must(err)
	if hash != tree.Hash {
		log.Fatalf("the tiles have the root %v, the checkpoint has %v", hash, tree.Hash)
	}
	fmt.Println("tree: the tiles have the root of the checkpoint")

	entries := readEntries(*base, tree.N)
	for index, entry := range entries {
		stored, err := reader.ReadHashes([]int64{tlog.StoredHashIndex(0, int64(index))})
		must(err)
		if stored[0] != tlog.RecordHash(entry) {
			log.Fatalf("record %d is not the one that the tree was made of", index)
		}
	}
	fmt.Printf("entries: %d of the bundles are the records of the tree\n", len(entries))

	step := (tree.N + *records - 1) / *records
	checked := 0
	for index := int64(0); index < tree.N; index += step {
		proof, err := tlog.ProveRecord(tree.N, index, reader)
		must(err)
		must(tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(entries[index])))
		record, of := checkProof(get(fmt.Sprintf("%s/proof/%d", *base, index+1)), verifier, index)
		if !bytes.Equal(record, entries[index]) || of != tree {
			log.Fatalf("the tlog-proof of record %d is of another record or tree", index)
		}
		checked++
	}
	fmt.Printf("records: %d proved from the tiles and by their tlog-proofs\n", checked)

	for _, file := range flag.Args() {
		kept, err := os.ReadFile(file)
		must(err)
		older := open(kept, verifier)
		if older.N > tree.N {
			log.Fatalf("%d records were signed before, and now there are %d", older.N, tree.N)
		}
		proof, err := tlog.ProveTree(tree.N, older.N, reader)
		must(err)
		must(tlog.CheckTree(proof, tree.N, tree.Hash, older.N, older.Hash))
		fmt.Printf("history: the tree of %d records is the beginning of this one\n", older.N)
	}

	if *rootVkey != "" {
		record, root := checkProof(get(*base+"/root-proof"), keyOf(*rootVkey), -1)
		if open(record, verifier) != tree {
			log.Fatal("the root log holds another checkpoint")
		}
		fmt.Printf("root: the checkpoint is one of the %d that the root log holds\n", root.N)
	}
}

// keyOf reads a verifier key.
func keyOf(vkey string) note.Verifier {
	verifier, err := note.NewVerifier(vkey)
	must(err)
	return verifier
}

// open verifies a signed checkpoint and returns the tree that it states (C2SP tlog-checkpoint).
func open(signed []byte, verifier note.Verifier) tlog.Tree {
	opened, err := note.Open(signed, note.VerifierList(verifier))
	must(err)
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() {
		log.Fatalf("this is no checkpoint of %s: %q", verifier.Name(), opened.Text)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	must(err)
	hash, err := tlog.ParseHash(lines[2])
	must(err)
	return tlog.Tree{N: size, Hash: hash}
}

// checkProof verifies a C2SP tlog-proof whose extra data is the record; index -1 stands for whichever it names.
func checkProof(text []byte, verifier note.Verifier, index int64) ([]byte, tlog.Tree) {
	head, signed, found := strings.Cut(string(text), "\n\n")
	lines := strings.Split(head, "\n")
	if !found || len(lines) < 3 || lines[0] != "c2sp.org/tlog-proof@v1" {
		log.Fatalf("this is no tlog-proof: %q", head)
	}
	record, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(lines[1], "extra "))
	must(err)
	named, err := strconv.ParseInt(strings.TrimPrefix(lines[2], "index "), 10, 64)
	must(err)
	if index >= 0 && named != index {
		log.Fatalf("the proof is of record %d, not %d", named, index)
	}
	var proof tlog.RecordProof
	for _, line := range lines[3:] {
		hash, err := tlog.ParseHash(line)
		must(err)
		proof = append(proof, hash)
	}
	tree := open([]byte(signed), verifier)
	must(tlog.CheckRecord(proof, tree.N, tree.Hash, named, tlog.RecordHash(record)))
	return record, tree
}

// readEntries reads all entry bundles of a tree of that size (C2SP tlog-tiles, "Log entries").
func readEntries(base string, size int64) [][]byte {
	var entries [][]byte
	for first := int64(0); first < size; first += 1 << height {
		tile := tlog.Tile{H: height, L: -1, N: first >> height, W: 1 << height}
		if size-first < 1<<height {
			tile.W = int(size - first)
		}
		path := strings.Replace(pathOf(tile), "tile/data/", "tile/entries/", 1)
		bundle := get(base + "/" + path)
		count := 0
		for ; len(bundle) > 0; count++ {
			if len(bundle) < 2 || len(bundle) < 2+int(binary.BigEndian.Uint16(bundle)) {
				log.Fatalf("%s is cut off", path)
			}
			end := 2 + int(binary.BigEndian.Uint16(bundle))
			entries = append(entries, bundle[2:end])
			bundle = bundle[end:]
		}
		if count != tile.W {
			log.Fatalf("%s has %d entries", path, count)
		}
	}
	return entries
}

// pathOf is the path of a tile by C2SP tlog-tiles: that of the checksum database without the height.
func pathOf(tile tlog.Tile) string {
	return strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/", tile.H), "tile/", 1)
}

// tiles reads tiles over HTTP and keeps each while the program runs (tlog.TileReader).
type tiles struct {
	base string
	kept map[tlog.Tile][]byte
}

func (t *tiles) Height() int { return height }

func (t *tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(wanted))
	for i, tile := range wanted {
		data[i] = t.kept[tile]
		if data[i] == nil {
			data[i] = get(t.base + "/" + pathOf(tile))
		}
	}
	return data, nil
}

// SaveTiles is told of the tiles that fit the tree.
func (t *tiles) SaveTiles(verified []tlog.Tile, data [][]byte) {
	if t.kept == nil {
		t.kept = make(map[tlog.Tile][]byte)
	}
	for i, tile := range verified {
		t.kept[tile] = data[i]
	}
}

func get(address string) []byte {
	response, err := http.Get(address)
	must(err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	must(err)
	if response.StatusCode != http.StatusOK {
		log.Fatalf("%s: %s: %s", address, response.Status, body)
	}
	return body
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
