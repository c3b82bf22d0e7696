package watch

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestMountPoints(t *testing.T) {
	const table = "22 1 0:20 / /sys rw - sysfs sysfs rw\n" +
		`31 22 8:1 /x /a\040folder\134 rw shared:1 - ext4 /dev/sda1 rw` + "\nshort line\n"
	want := map[string]string{"22": "/sys", "31": `/a folder\`}
	if diff := cmp.Diff(want, mountPoints(table)); diff != "" {
		t.Errorf("mountPoints (-want +got):\n%s", diff)
	}
}

func FuzzMountPoints(f *testing.F) {
	f.Add("22 1 0:20 / /sys rw - sysfs sysfs rw\n")
	f.Add(`31 22 8:1 /x /a\040folder\13 rw` + "\n")
	f.Fuzz(func(t *testing.T, table string) {
		if n := len(mountPoints(table)); n > strings.Count(table, "\n")+1 {
			t.Errorf("%d mounts in %q", n, table)
		}
	})
}

func FuzzNotices(f *testing.F) {
	in := binary.NativeEndian.AppendUint32(nil, 1)
	in = binary.NativeEndian.AppendUint32(in, unix.IN_CREATE)
	in = append(in, 0, 0, 0, 0, 8, 0, 0, 0, 'c', 'o', 'n', 'f', 0, 0, 0, 0)
	f.Add(in)
	record := append([]byte{unix.FAN_EVENT_INFO_TYPE_DFID_NAME, 0, 32, 0}, "FILESYST\x04\x00\x00\x00\x01\x00\x00\x00NODEconf\x00\x00\x00\x00"...)
	fan := binary.NativeEndian.AppendUint32(nil, uint32(metaSize+len(record)))
	fan = append(fan, unix.FANOTIFY_METADATA_VERSION, 0, byte(metaSize), 0)
	fan = binary.NativeEndian.AppendUint64(fan, unix.FAN_CREATE)
	fan = append(fan, 0xff, 0xff, 0xff, 0xff, 7, 0, 0, 0)
	f.Add(append(fan, record...))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for name, list := range map[string][]notice{"inotify": inotify(-1).parse(raw), "fanotify": fanotify(-1).parse(raw)} {
			for _, n := range list {
				if len(n.name) > len(raw) || strings.Contains(n.name, "\x00") {
					t.Errorf("%s: the name %q in %q", name, n.name, raw)
				}
			}
		}
	})
}
