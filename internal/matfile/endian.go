package matfile

import "encoding/binary"

// nativeBigEndian is the byte order of this machine.
var nativeBigEndian = binary.NativeEndian.Uint16([]byte{1, 0}) != 1
