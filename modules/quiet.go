package modules

// Quiet is true: files are only read.
func (*File) Quiet() bool { return true }

// Quiet is true: folders are only read.
func (*Directory) Quiet() bool { return true }

// Quiet is true: links are only read.
func (*Symlink) Quiet() bool { return true }

// Quiet is true: settings are only read.
func (*Sysctl) Quiet() bool { return true }

// Quiet is true: accounts are read, by getent at the most.
func (*User) Quiet() bool { return true }

// Quiet is true: groups are read, by getent at the most.
func (*Group) Quiet() bool { return true }

// Quiet is true: files are only read.
func (*FileContentCheck) Quiet() bool { return true }

// Quiet is true: systemctl only tells.
func (*Service) Quiet() bool { return true }

// Quiet is true where no apt has to be asked.
func (p *Package) Quiet() bool { return p.State != "latest" }
