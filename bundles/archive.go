package bundles

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Limits bound how much of a bundle is read before it is trusted.
type Limits struct {
	Compressed int64 // bytes of the archive as it is sent; 0 means 8 MiB
	Inflated   int64 // bytes of all files together; 0 means 64 MiB
	Files      int   // 0 means 10,000
	Table      int64 // bytes of one table or of the signatures, which take far more memory once parsed; 0 means 16 MiB
	Nodes      int   // values and names in all tables together; 0 means one for each 256 bytes of Inflated
}

// WithDefaults returns the limits with every zero replaced by its default.
func (l Limits) WithDefaults() Limits {
	if l.Compressed <= 0 {
		l.Compressed = 8 << 20
	}
	if l.Inflated <= 0 {
		l.Inflated = 64 << 20
	}
	if l.Files <= 0 {
		l.Files = 10_000
	}
	if l.Table <= 0 {
		l.Table = 16 << 20
	}
	if l.Nodes <= 0 {
		l.Nodes = int(l.Inflated / 256)
	}
	return l
}

// Archive is the content of a bundle in memory: its files, sorted by name. Names are clean, relative and without "..".
type Archive struct {
	Files []File
	// NotLoaded names the files that look like policy or data but are neither. In an archive read from a directory, they
	// are not in Files.
	NotLoaded []string
}

// File is one file of a bundle.
type File struct {
	Name string
	Data []byte
}

// maxName is the length in bytes of the longest file name.
const maxName = 1024

// ReadArchive reads a .tar.gz. It refuses what OPA ignores: links and devices, names that lead out of the bundle or occur
// twice, a truncated stream, and data after the end of the archive. The error is a [*Refusal].
func ReadArchive(r io.Reader, limits Limits) (*Archive, error) {
	b := builder{limits: limits.WithDefaults()}
	err := eachFile(r, b.limits, func(name string, content io.Reader) error {
		var data bytes.Buffer
		if _, err := io.Copy(&data, content); err != nil {
			return err
		}
		return b.add(name, data.Bytes())
	})
	if err != nil {
		return nil, err
	}
	return b.archive()
}

// eachFile calls visit for each file of a .tar.gz, within the limits, and reads the stream to its end.
func eachFile(r io.Reader, limits Limits, visit func(name string, content io.Reader) error) error {
	compressed := &io.LimitedReader{R: r, N: limits.Compressed + 1}
	unpacked, err := gzip.NewReader(compressed)
	if err != nil {
		return Refusef(Malformed, "it is not a gzip archive: %w", err)
	}
	inflated := &io.LimitedReader{R: unpacked, N: limits.Inflated + maxOverhead(limits.Files)}
	readError := func(err error) error {
		if compressed.N <= 0 || inflated.N <= 0 {
			return Refusef(TooLarge, "it is larger than %d bytes, or %d unpacked", limits.Compressed, limits.Inflated)
		}
		return asMalformed(err)
	}
	rest, entries := limits.Inflated, 0
	for archive := tar.NewReader(inflated); ; {
		header, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return readError(err)
		}
		if entries++; entries > limits.Files {
			return Refusef(TooLarge, "it has more than %d entries", limits.Files)
		}
		switch header.Typeflag {
		case tar.TypeDir, tar.TypeXGlobalHeader:
			continue
		case tar.TypeReg:
		default:
			return Refusef(Malformed, "%q is not a file: a bundle must not have links or devices", short(header.Name))
		}
		if rest -= header.Size; rest < 0 {
			return Refusef(TooLarge, "its files are larger than %d bytes together", limits.Inflated)
		}
		if err := visit(header.Name, archive); err != nil {
			return readError(err)
		}
	}
	if err := checkTrailer(unpacked); err != nil {
		return readError(err)
	}
	if compressed.N <= 0 {
		return Refusef(TooLarge, "it is larger than %d bytes", limits.Compressed)
	}
	return nil
}

// maxOverhead bounds the headers and padding of a number of files, in bytes.
func maxOverhead(files int) int64 { return int64(files)*4*1024 + 1<<20 }

// checkTrailer reads a stream to its end, where gzip keeps its checksum. Only padding may follow the archive.
func checkTrailer(r io.Reader) error {
	var chunk [4096]byte
	for padding := 0; ; {
		n, err := r.Read(chunk[:])
		if padding += n; padding > 1<<20 || slices.ContainsFunc(chunk[:n], func(b byte) bool { return b != 0 }) {
			return Refusef(Malformed, "there is data behind its end")
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func asMalformed(err error) error {
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		return refusal
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return Refusef(Malformed, "it is truncated: %w", err)
	}
	return Refusef(Malformed, "it cannot be read: %w", err)
}

// builder collects the files of an archive.
type builder struct {
	limits    Limits
	files     []File
	notLoaded []string // as in [Archive]
}

func (b *builder) add(name string, data []byte) error {
	clean, err := cleanName(name)
	if err != nil {
		return err
	}
	if len(b.files) >= b.limits.Files {
		return Refusef(TooLarge, "it has more than %d files", b.limits.Files)
	}
	b.files = append(b.files, File{clean, data})
	return nil
}

func (b *builder) archive() (*Archive, error) {
	slices.SortFunc(b.files, func(x, y File) int { return strings.Compare(x.Name, y.Name) })
	for i := 1; i < len(b.files); i++ {
		if b.files[i].Name == b.files[i-1].Name {
			return nil, Refusef(Malformed, "%q is in it twice", short(b.files[i].Name))
		}
	}
	a := &Archive{Files: b.files, NotLoaded: b.notLoaded}
	for _, f := range b.files {
		a.NotLoaded = addNotLoaded(a.NotLoaded, f.Name)
	}
	return a, nil
}

// NewArchive makes an archive from files. It refuses duplicate names and names that a bundle must not have.
func NewArchive(files []File) (*Archive, error) {
	b := builder{limits: Limits{}.WithDefaults()}
	for _, f := range files {
		if err := b.add(f.Name, f.Data); err != nil {
			return nil, err
		}
	}
	return b.archive()
}

// cleanName returns the name of a file within the bundle. OPA's own tools write names with a leading slash.
func cleanName(name string) (string, error) {
	clean := strings.TrimPrefix(strings.TrimPrefix(name, "."), "/")
	if strings.HasPrefix(name, ".") && !strings.HasPrefix(name, "./") {
		clean = name // such as .manifest
	}
	unusual := func(r rune) bool { return r < ' ' || r == '\\' || r == 0x7f }
	if !fs.ValidPath(clean) || clean == "." || len(clean) > maxName || strings.ContainsFunc(clean, unusual) {
		return "", Refusef(Malformed, "%q is not a valid file name in a bundle", short(name))
	}
	return clean, nil
}

// short makes a name fit for a message: truncated, and valid UTF-8.
func short(name string) string {
	if len(name) > 80 {
		name = name[:80] + "..."
	}
	return strings.ToValidUTF8(name, "\ufffd")
}

// Find returns the content of a file, or nil if there is no such file.
func (a *Archive) Find(name string) []byte {
	i, ok := slices.BinarySearchFunc(a.Files, name, func(f File, name string) int { return strings.Compare(f.Name, name) })
	if !ok {
		return nil
	}
	return a.Files[i].Data
}

// Signed reports whether the archive has a signature, valid or not.
func (a *Archive) Signed() bool { return a.Find(SignaturesFile) != nil }

// Write writes the archive as a .tar.gz. Equal files give equal bytes: nothing depends on the time or the machine.
func (a *Archive) Write(w io.Writer) error {
	packed := gzip.NewWriter(w)
	archive := tar.NewWriter(packed)
	for _, f := range a.Files {
		header := &tar.Header{Typeflag: tar.TypeReg, Name: "/" + f.Name, Mode: 0o600, Size: int64(len(f.Data)), Format: tar.FormatPAX}
		if err := archive.WriteHeader(header); err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		if _, err := archive.Write(f.Data); err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	return errors.Join(archive.Close(), packed.Close())
}

// maxNotLoaded bounds how many files that are not loaded are named.
const maxNotLoaded = 20

// addNotLoaded adds a name that looks like policy or data but is neither, such as tables.yaml or data.JSON: OPA loads only
// data.json, data.yaml, data.yml and *.rego. Folders named schemas, and those whose names begin with a dot, are for tools.
func addNotLoaded(names []string, name string) []string {
	base := strings.ToLower(path.Base(name))
	looksLoaded := slices.Contains([]string{".json", ".yaml", ".yml", ".rego"}, path.Ext(base)) || base == ManifestFile
	loaded := IsPolicyFile(name) || strings.HasSuffix(name, "_test.rego") || name == SignaturesFile || name == PropertiesFile || name == ApprovedFile
	if !looksLoaded || loaded || isForTools(name) || len(names) >= maxNotLoaded {
		return names
	}
	return append(names, name)
}

// PropertiesFile has what has to hold of a policy in every case. It is no part of the policy.
const PropertiesFile = "properties.yaml"

// ApprovedFile has the changes of decisions that are wanted. It is no part of the policy, and a bundle carries it to the gates that
// demand it.
const ApprovedFile = "approved.yaml"

func isForTools(name string) bool {
	return slices.ContainsFunc(strings.Split(path.Dir(name), "/"), func(folder string) bool {
		return folder == "schemas" || len(folder) > 1 && strings.HasPrefix(folder, ".")
	})
}

// IsBundleFile reports whether a bundle is made of a file of a directory: of the policy, or the approved changes.
func IsBundleFile(name string) bool { return IsPolicyFile(name) || name == ApprovedFile }

// IsPolicyFile reports whether a file is part of the policy: rules, data or the manifest, but not tests.
func IsPolicyFile(name string) bool {
	switch base := path.Base(name); base {
	case "data.yaml", "data.yml", "data.json":
		return true
	default:
		return name == ManifestFile || strings.HasSuffix(base, ".rego") && !strings.HasSuffix(base, "_test.rego")
	}
}
