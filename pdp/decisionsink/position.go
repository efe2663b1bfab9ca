package decisionsink

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/wardkeeper/wardkeeper/pdp/decisionlog"
)

// positionBytes is the size of the file of a position, whatever it says: it is overwritten in place, so that a process that is killed
// leaves the old or the new one.
const positionBytes = 256

// positionFile keeps a position. It is not synced: after a crash of the machine an older position sends records twice, and none is
// lost, because what was sent had been synced before.
type positionFile struct{ file *os.File }

// openPosition opens the position of a sink in the folder of a log. If there is none, or it cannot be read, it is the beginning.
func openPosition(dir, name string) (*positionFile, decisionlog.Position, error) {
	path := filepath.Join(dir, "sink-"+name+".json")
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() { // what a link leads to would be overwritten
		return nil, decisionlog.Position{}, fmt.Errorf("%s is not a regular file: remove it", path)
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, decisionlog.Position{}, err
	}
	var at decisionlog.Position
	content := make([]byte, positionBytes)
	n, err := file.ReadAt(content, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, at, errors.Join(err, file.Close())
	}
	if json.Unmarshal(content[:n], &at) != nil {
		at = decisionlog.Position{}
	}
	return &positionFile{file}, at, nil
}

func (p *positionFile) write(at decisionlog.Position) error {
	encoded, err := json.Marshal(at)
	if err != nil {
		return err
	}
	if len(encoded) >= positionBytes {
		return fmt.Errorf("a position has %d bytes", len(encoded))
	}
	encoded = append(encoded, bytes.Repeat([]byte(" "), positionBytes-1-len(encoded))...)
	_, err = p.file.WriteAt(append(encoded, '\n'), 0)
	return err
}

func (p *positionFile) close() { _ = p.file.Close() }
