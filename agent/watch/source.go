package watch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// notice is one thing that the kernel said.
type notice struct {
	id   string // of the folder, as add returned it
	name string // in the folder
	what what
	pid  int // who did it, 0 when that is not known
}

type what uint8

const (
	changed what = 1 << iota // content or attributes
	entry                    // a name came, went or now means something else
	self                     // the folder itself went away
	lost                     // events were dropped
)

// source is one of the kernel's ways to tell.
type source interface {
	// add watches the names in a folder; with files also what is done to its files, with writes
	// each single write. It never takes away what was watched there before.
	add(folder string, writes, files bool) (id string, err error)
	remove(folder, id string)
	parse(raw []byte) []notice
	fd() int
}

// sources are tried in turn for each folder.
type sources []source

// openSources opens fanotify, which names the writer, where it may be used, and inotify, which
// knows more file systems.
func openSources(opt Options) (sources, error) {
	in, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("cannot watch files: %w", err)
	}
	list := sources{inotify(in)}
	if opt.Anonymous {
		return list, nil
	}
	const how = unix.FAN_CLASS_NOTIF | unix.FAN_CLOEXEC | unix.FAN_NONBLOCK | unix.FAN_REPORT_DFID_NAME
	if fan, err := unix.FanotifyInit(how, unix.O_RDONLY|unix.O_CLOEXEC); err == nil {
		list = append(sources{fanotify(fan)}, list...)
	}
	return list, nil
}

// add watches a folder in one way, and tells by which names the kernel calls it. On an overlay file
// system, where fanotify may call a folder by another name once it was written to, it is watched in
// all ways: one never misses anything, and the other names who wrote as far as it can.
func (s sources) add(folder string, writes, files bool) (ids []string, err error) {
	all := isOverlay(folder)
	for _, one := range s {
		id, fault := one.add(folder, writes, files)
		switch {
		case errors.Is(fault, fs.ErrNotExist) || errors.Is(fault, unix.ENOTDIR):
			return nil, fault
		case fault != nil:
			err = fault
			continue
		}
		if ids = append(ids, id); !all {
			return ids, nil
		}
	}
	if len(ids) > 0 && strings.HasPrefix(ids[len(ids)-1], "i") {
		return ids, nil
	}
	return ids, err
}

func isOverlay(folder string) bool {
	var st unix.Statfs_t
	return unix.Statfs(folder, &st) == nil && st.Type == unix.OVERLAYFS_SUPER_MAGIC
}

func (s sources) remove(folder, id string) {
	for _, one := range s {
		one.remove(folder, id)
	}
}

func (s sources) close() {
	for _, one := range s {
		_ = unix.Close(one.fd())
	}
}

// inotify is a descriptor of inotify(7). Its ids begin with "i".
type inotify int

func (in inotify) fd() int { return int(in) }

func (in inotify) add(folder string, writes, files bool) (string, error) {
	mask := uint32(unix.IN_CREATE | unix.IN_DELETE | unix.IN_MOVED_FROM | unix.IN_MOVED_TO | unix.IN_DELETE_SELF | unix.IN_MOVE_SELF |
		unix.IN_MASK_ADD | unix.IN_ONLYDIR | unix.IN_DONT_FOLLOW | unix.IN_EXCL_UNLINK)
	if files {
		mask |= unix.IN_ATTRIB | unix.IN_CLOSE_WRITE
	}
	if writes {
		mask |= unix.IN_MODIFY
	}
	wd, err := unix.InotifyAddWatch(int(in), folder, mask)
	return "i" + strconv.Itoa(wd), err
}

func (in inotify) remove(_, id string) {
	wd, err := strconv.ParseUint(strings.TrimPrefix(id, "i"), 10, 31)
	if err == nil && strings.HasPrefix(id, "i") {
		_, _ = unix.InotifyRmWatch(int(in), uint32(wd)) // it may have gone with its folder
	}
}

func (in inotify) parse(raw []byte) []notice {
	var list []notice
	for len(raw) >= unix.SizeofInotifyEvent {
		wd, mask := int32(binary.NativeEndian.Uint32(raw)), binary.NativeEndian.Uint32(raw[4:])
		size := uint64(binary.NativeEndian.Uint32(raw[12:])) + unix.SizeofInotifyEvent
		if size > uint64(len(raw)) {
			break
		}
		name, _, _ := strings.Cut(string(raw[unix.SizeofInotifyEvent:size]), "\x00")
		raw = raw[size:]
		list = append(list, notice{id: "i" + strconv.Itoa(int(wd)), name: name, what: inotifyWhat(mask)})
	}
	return list
}

func inotifyWhat(mask uint32) what {
	var w what
	if mask&(unix.IN_MODIFY|unix.IN_ATTRIB|unix.IN_CLOSE_WRITE) != 0 {
		w |= changed
	}
	if mask&(unix.IN_CREATE|unix.IN_DELETE|unix.IN_MOVED_FROM|unix.IN_MOVED_TO) != 0 {
		w |= entry
	}
	if mask&(unix.IN_DELETE_SELF|unix.IN_MOVE_SELF|unix.IN_UNMOUNT|unix.IN_IGNORED) != 0 {
		w |= self
	}
	if mask&unix.IN_Q_OVERFLOW != 0 {
		w |= lost
	}
	return w
}

// fanotify is a descriptor of fanotify(7). Its ids are "f", the file system and the file handle
// of the folder.
type fanotify int

func (fan fanotify) fd() int { return int(fan) }

func (fan fanotify) add(folder string, writes, files bool) (string, error) {
	mask := uint64(unix.FAN_CREATE | unix.FAN_DELETE | unix.FAN_MOVED_FROM | unix.FAN_MOVED_TO | unix.FAN_DELETE_SELF | unix.FAN_MOVE_SELF | unix.FAN_ONDIR)
	if files {
		mask |= unix.FAN_ATTRIB | unix.FAN_CLOSE_WRITE | unix.FAN_EVENT_ON_CHILD
	}
	if writes {
		mask |= unix.FAN_MODIFY
	}
	const how = unix.FAN_MARK_ADD | unix.FAN_MARK_ONLYDIR | unix.FAN_MARK_DONT_FOLLOW
	if err := unix.FanotifyMark(int(fan), how, mask, unix.AT_FDCWD, folder); err != nil {
		return "", err
	}
	id, err := handleOf(folder)
	return id, err
}

// remove takes the mark away only where the folder is still the same one: another one in its
// place may have a mark of its own.
func (fan fanotify) remove(folder, id string) {
	if now, err := handleOf(folder); err != nil || now != id {
		return
	}
	const how = unix.FAN_MARK_REMOVE | unix.FAN_MARK_ONLYDIR | unix.FAN_MARK_DONT_FOLLOW
	const all = unix.FAN_CREATE | unix.FAN_DELETE | unix.FAN_MOVED_FROM | unix.FAN_MOVED_TO | unix.FAN_DELETE_SELF | unix.FAN_MOVE_SELF |
		unix.FAN_ONDIR | unix.FAN_ATTRIB | unix.FAN_CLOSE_WRITE | unix.FAN_EVENT_ON_CHILD | unix.FAN_MODIFY
	_ = unix.FanotifyMark(int(fan), how, all, unix.AT_FDCWD, folder)
}

// handleFID is AT_HANDLE_FID: a handle that need not open the folder again, as fanotify tells it.
const handleFID = 0x200

// handleOf names a folder as the events of fanotify do.
func handleOf(folder string) (string, error) {
	handle, _, err := unix.NameToHandleAt(unix.AT_FDCWD, folder, handleFID)
	if errors.Is(err, unix.EINVAL) { // before Linux 6.5, where no overlay can be marked either
		handle, _, err = unix.NameToHandleAt(unix.AT_FDCWD, folder, 0)
	}
	if err != nil {
		return "", err
	}
	var st unix.Statfs_t
	if err := unix.Statfs(folder, &st); err != nil {
		return "", err
	}
	return fanotifyID(binary.NativeEndian.AppendUint64(nil, uint64(uint32(st.Fsid.Val[0]))|uint64(uint32(st.Fsid.Val[1]))<<32), handle.Type(), handle.Bytes()), nil
}

func fanotifyID(fsid []byte, kind int32, handle []byte) string {
	return "f" + string(fsid) + string(binary.NativeEndian.AppendUint32(nil, uint32(kind))) + string(handle)
}

const metaSize = int(unsafe.Sizeof(unix.FanotifyEventMetadata{}))

func (fan fanotify) parse(raw []byte) []notice {
	var list []notice
	for len(raw) >= metaSize {
		size, head := int(binary.NativeEndian.Uint32(raw)), int(binary.NativeEndian.Uint16(raw[6:]))
		if size < metaSize || size > len(raw) || head < metaSize || head > size || raw[4] != unix.FANOTIFY_METADATA_VERSION {
			break
		}
		mask, pid := binary.NativeEndian.Uint64(raw[8:]), int32(binary.NativeEndian.Uint32(raw[20:]))
		one := notice{what: fanotifyWhat(mask), pid: int(pid)}
		one.id, one.name = fanotifyPlace(raw[head:size])
		list = append(list, one)
		raw = raw[size:]
	}
	return list
}

// fanotifyPlace reads the record that names folder and entry: a header of 4 bytes (kind, pad,
// length), 8 bytes of the file system, length and kind of the handle in 4 bytes each, the handle
// and the name.
func fanotifyPlace(raw []byte) (id, name string) {
	for len(raw) >= 20 {
		size := int(binary.NativeEndian.Uint16(raw[2:]))
		if size < 20 || size > len(raw) {
			return "", ""
		}
		length := uint64(binary.NativeEndian.Uint32(raw[12:]))
		if raw[0] == unix.FAN_EVENT_INFO_TYPE_DFID_NAME && 20+length <= uint64(size) {
			kind := int32(binary.NativeEndian.Uint32(raw[16:]))
			name, _, _ = strings.Cut(string(raw[20+length:size]), "\x00")
			return fanotifyID(raw[4:12], kind, raw[20:20+length]), name
		}
		raw = raw[size:]
	}
	return "", ""
}

func fanotifyWhat(mask uint64) what {
	var w what
	if mask&(unix.FAN_MODIFY|unix.FAN_ATTRIB|unix.FAN_CLOSE_WRITE) != 0 {
		w |= changed
	}
	if mask&(unix.FAN_CREATE|unix.FAN_DELETE|unix.FAN_MOVED_FROM|unix.FAN_MOVED_TO) != 0 {
		w |= entry
	}
	if mask&(unix.FAN_DELETE_SELF|unix.FAN_MOVE_SELF) != 0 {
		w |= self
	}
	if mask&unix.FAN_Q_OVERFLOW != 0 {
		w |= lost
	}
	return w
}
