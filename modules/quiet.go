package modules

// Quiet is true: files, folders, links, settings and accounts are read and nothing is run but
// getent and systemctl, which only tell.
func (*File) Quiet() bool             { return true }
func (*Directory) Quiet() bool        { return true }
func (*Symlink) Quiet() bool          { return true }
func (*Sysctl) Quiet() bool           { return true }
func (*User) Quiet() bool             { return true }
func (*Group) Quiet() bool            { return true }
func (*FileContentCheck) Quiet() bool { return true }
func (*Service) Quiet() bool          { return true }

// Quiet is true where no apt has to be asked.
func (p *Package) Quiet() bool { return p.State != "latest" }
