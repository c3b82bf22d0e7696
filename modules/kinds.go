package modules

// Kinds lists every kind, resources first. A new kind is one line here and one file.
func Kinds() []Kind {
	return []Kind{
		fileKind(),
		directoryKind(),
		symlinkKind(),
		sysctlKind(),
		commandKind(),
		commandCheckKind(),
		fileContentCheckKind(),
		groupKind(),
		userKind(),
		packageKind(),
		serviceKind(),
		sshdDirectiveKind(),
		listeningPortsCheckKind(),
	}
}
