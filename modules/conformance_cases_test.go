package modules

// samples lists the situations of every kind by its name; checks are "check.NAME".
// Each map lies in the test file of its kind.
func samples() map[string]map[string]sample {
	return map[string]map[string]sample{
		"file":                  fileSamples(),
		"directory":             directorySamples(),
		"symlink":               symlinkSamples(),
		"sysctl":                sysctlSamples(),
		"command":               commandSamples(),
		"check.command":         commandCheckSamples(),
		"check.file_content":    fileContentCheckSamples(),
		"package":               packageSamples(),
		"service":               serviceSamples(),
		"user":                  userSamples(),
		"group":                 groupSamples(),
		"sshd_directive":        sshdDirectiveSamples(),
		"check.listening_ports": listeningPortsSamples(),
	}
}

// mistakes lists declarations that Validate must refuse.
func mistakes() map[string]map[string]wrong {
	return map[string]map[string]wrong{
		"file":                  fileMistakes(),
		"directory":             directoryMistakes(),
		"symlink":               symlinkMistakes(),
		"sysctl":                sysctlMistakes(),
		"command":               commandMistakes(),
		"check.command":         commandCheckMistakes(),
		"check.file_content":    fileContentCheckMistakes(),
		"package":               packageMistakes(),
		"service":               serviceMistakes(),
		"user":                  userMistakes(),
		"group":                 groupMistakes(),
		"sshd_directive":        sshdDirectiveMistakes(),
		"check.listening_ports": listeningPortsMistakes(),
	}
}
