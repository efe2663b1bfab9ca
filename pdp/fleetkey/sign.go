package fleetkey

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
)

const (
	macSize  = 16 // of a signature, without the key's id
	saltSize = 16
	gcmSize  = 16

	// SignatureSize is the size of a signature in bytes.
	SignatureSize = idSize + macSize
	// SealSize is by how many bytes sealing makes something longer.
	SealSize = idSize + saltSize + gcmSize
)

var (
	ErrUnsigned   = errors.New("it is not signed by a fleet key")
	ErrUnknownKey = errors.New("it is signed by a key that is not in the fleet key file")
	ErrForged     = errors.New("its signature is wrong: it was forged or changed")
)

// Sign returns a signature of the parts, in their order.
func (k *Keys) Sign(use Use, parts ...[]byte) []byte {
	first := k.file.Get()[0]
	return append(first.id[:], first.mac(use, parts)...)
}

// Verify returns an error unless one of the keys has signed the parts. It counts and logs the error.
func (k *Keys) Verify(use Use, signature []byte, parts ...[]byte) error {
	return k.refuse(use, k.verify(use, signature, parts))
}

func (k *Keys) verify(use Use, signature []byte, parts [][]byte) error {
	if len(signature) != SignatureSize {
		return ErrUnsigned
	}
	by, err := k.find(signature)
	if err == nil && !hmac.Equal(by.mac(use, parts), signature[idSize:]) {
		err = ErrForged
	}
	return err
}

func (k *key) mac(use Use, parts [][]byte) []byte {
	h := hmac.New(sha256.New, k.derived[use])
	h.Write(joined(parts))
	return h.Sum(nil)[:macSize]
}

// joined returns the parts, and where each ends.
func joined(parts [][]byte) []byte {
	size := 0
	for _, part := range parts {
		size += 8 + len(part)
	}
	all := make([]byte, 0, size)
	for _, part := range parts {
		all = append(binary.BigEndian.AppendUint64(all, uint64(len(part))), part...)
	}
	return all
}

// Seal encrypts and authenticates a text. It can be opened only with the same parts, which the result does not contain.
func (k *Keys) Seal(use Use, text []byte, parts ...[]byte) []byte {
	first := k.file.Get()[0]
	sealed := make([]byte, idSize+saltSize, SealSize+len(text))
	copy(sealed, first.id[:])
	salt := sealed[idSize:]
	_, _ = rand.Read(salt) // never fails
	return first.cipher(use, salt).Seal(sealed, nonce[:], text, joined(parts))
}

// Open returns the text of something sealed. If there is none for these parts, it counts and logs the error.
func (k *Keys) Open(use Use, sealed []byte, parts ...[]byte) ([]byte, error) {
	text, err := k.open(use, sealed, parts)
	return text, k.refuse(use, err)
}

func (k *Keys) open(use Use, sealed []byte, parts [][]byte) ([]byte, error) {
	if len(sealed) < SealSize {
		return nil, ErrUnsigned
	}
	by, err := k.find(sealed)
	if err != nil {
		return nil, err
	}
	salt, rest := sealed[idSize:idSize+saltSize], sealed[idSize+saltSize:]
	text, err := by.cipher(use, salt).Open(nil, nonce[:], rest, joined(parts))
	if err != nil {
		return nil, ErrForged
	}
	return text, nil
}

// nonce is always the same, because each text is sealed with a key of its own. A random nonce under one key would bound
// the number of texts, and a busy fleet would reach that bound within days.
var nonce [12]byte

// cipher returns the cipher of one text, whose key is derived by its salt.
func (k *key) cipher(use Use, salt []byte) cipher.AEAD {
	secret, err := hkdf.Expand(sha256.New, k.derived[use], "seal"+string(salt), sha256.Size)
	if err != nil {
		panic(err) // the sizes are fixed
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return aead
}

// find returns the key that a signature names.
func (k *Keys) find(signature []byte) (*key, error) {
	keys := k.file.Get()
	for i := range keys {
		if string(keys[i].id[:]) == string(signature[:idSize]) {
			return &keys[i], nil
		}
	}
	return nil, ErrUnknownKey
}
