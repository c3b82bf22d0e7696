# CIS Benchmark for Debian 12, level 1, server: the part that this version of Plumb can judge.
#
# The numbers are those of the benchmark, the words are ours. Everything is measured from
# what is in force (sshd -T, /proc/sys, dpkg's database), not from how a file is written.
# Everything here is a check: it only measures, whatever else is declared for the host. Where
# the host should be mended, declare a resource of the same kind in a policy of your own.

group "cis_debian12" {
  match = try(fact.os.id, "") == "debian" && try(fact.os.version, "") == "12"
}

policy "cis_debian12" {
  title      = "CIS Debian 12, level 1, server"
  version    = "0.1.0"
  applies_to = group.cis_debian12
  mode       = "audit"

  # 1.1.1: file systems that no server needs must not be loadable.
  check "command" "module" {
    for_each = {
      cramfs   = { control = "1.1.1.1" }
      freevxfs = { control = "1.1.1.2" }
      hfs      = { control = "1.1.1.3" }
      hfsplus  = { control = "1.1.1.4" }
      jffs2    = { control = "1.1.1.5" }
    }
    title      = "The ${each.key} file system cannot be loaded"
    severity   = "low"
    command    = ["modprobe", "--showconfig"]
    must_match = "^install ${each.key} /(usr/)?bin/(false|true)"
    controls   = ["cis_debian12:${each.value.control}"]
    when       = try(fact.virtual, "none") == "none" || try(fact.chassis, "") != "container"
    max_output = 16777216
  }

  # 1.3 to 1.5: what the kernel enforces.
  check "package" "apparmor" {
    for_each = toset(["apparmor", "apparmor-utils"])
    title    = "AppArmor is installed: ${each.key}"
    severity = "medium"
    name     = each.key
    state    = "present"
    controls = ["cis_debian12:1.3.1.1"]
  }

  check "file_content" "boot_loader" {
    title      = "Only root may read the boot loader's configuration"
    severity   = "medium"
    path       = "/boot/grub/grub.cfg"
    must_exist = false
    owner      = "root"
    group      = "root"
    max_mode   = "0600"
    controls   = ["cis_debian12:1.4.2"]
  }

  check "sysctl" "kernel" {
    for_each = {
      "kernel.randomize_va_space" = { control = "1.5.1", one_of = ["2"], title = "Addresses are randomised fully" }
      "kernel.yama.ptrace_scope"  = { control = "1.5.2", one_of = ["1", "2", "3"], title = "Processes may trace only their children" }
      "fs.suid_dumpable"          = { control = "1.5.3", one_of = ["0"], title = "Privileged programs leave no core dumps" }
    }
    title              = each.value.title
    severity           = "medium"
    key                = each.key
    one_of             = each.value.one_of
    persist            = false
    ignore_unsupported = true
    controls           = ["cis_debian12:${each.value.control}"]
  }

  check "package" "prelink" {
    title    = "prelink is not installed"
    severity = "low"
    name     = "prelink"
    state    = "absent"
    controls = ["cis_debian12:1.5.4"]
  }

  # 1.6: banners tell nothing about the system.
  check "file_content" "banner" {
    for_each = {
      "/etc/motd"      = { text = "1.6.1", access = "1.6.4" }
      "/etc/issue"     = { text = "1.6.2", access = "1.6.5" }
      "/etc/issue.net" = { text = "1.6.3", access = "1.6.6" }
    }
    title          = "${each.key} does not tell which system this is"
    severity       = "low"
    path           = each.key
    must_exist     = false
    must_not_match = "\\\\[mrsv]|Debian GNU/Linux"
    controls       = ["cis_debian12:${each.value.text}"]
  }

  check "file_content" "banner_access" {
    for_each = {
      "/etc/motd"      = "1.6.4"
      "/etc/issue"     = "1.6.5"
      "/etc/issue.net" = "1.6.6"
    }
    title      = "Only root may change ${each.key}"
    severity   = "low"
    path       = each.key
    must_exist = false
    owner      = "root"
    group      = "root"
    max_mode   = "0644"
    controls   = ["cis_debian12:${each.value}"]
  }

  # 2.1: servers that were not asked for. Take out of the list what the host is for.
  check "package" "server" {
    for_each = {
      "autofs"            = "2.1.1"
      "avahi-daemon"      = "2.1.2"
      "isc-dhcp-server"   = "2.1.3"
      "bind9"             = "2.1.4"
      "dnsmasq"           = "2.1.5"
      "vsftpd"            = "2.1.6"
      "slapd"             = "2.1.7"
      "dovecot-core"      = "2.1.8"
      "nfs-kernel-server" = "2.1.9"
      "ypserv"            = "2.1.10"
      "cups"              = "2.1.11"
      "rpcbind"           = "2.1.12"
      "samba"             = "2.1.14"
      "snmpd"             = "2.1.15"
      "tftpd-hpa"         = "2.1.16"
      "squid"             = "2.1.17"
      "apache2"           = "2.1.18"
      "nginx"             = "2.1.18"
      "xinetd"            = "2.1.19"
    }
    title    = "${each.key} is not installed"
    severity = "medium"
    name     = each.key
    state    = "absent"
    controls = ["cis_debian12:${each.value}"]
  }

  check "listening_ports" "mail" {
    title         = "Mail is taken from this host only"
    severity      = "medium"
    loopback_only = ["tcp/25", "tcp/465", "tcp/587"]
    controls      = ["cis_debian12:2.1.21"]
  }

  # 2.2: clients of protocols that send passwords in the clear.
  check "package" "client" {
    for_each = {
      "nis"        = "2.2.1"
      "rsh-client" = "2.2.2"
      "talk"       = "2.2.3"
      "telnet"     = "2.2.4"
      "ldap-utils" = "2.2.5"
      "ftp"        = "2.2.6"
      "tnftp"      = "2.2.6"
    }
    title    = "${each.key} is not installed"
    severity = "medium"
    name     = each.key
    state    = "absent"
    controls = ["cis_debian12:${each.value}"]
  }

  # 2.4: scheduled work belongs to root.
  check "service" "cron" {
    title    = "cron runs and starts with the host"
    severity = "medium"
    name     = "cron"
    running  = true
    enabled  = true
    when     = contains(keys(fact.packages), "cron")
    controls = ["cis_debian12:2.4.1.1"]
  }

  check "file_content" "crontab" {
    title      = "Only root may read /etc/crontab"
    severity   = "medium"
    path       = "/etc/crontab"
    must_exist = false
    owner      = "root"
    group      = "root"
    max_mode   = "0600"
    when       = contains(keys(fact.packages), "cron")
    controls   = ["cis_debian12:2.4.1.2"]
  }

  check "directory" "cron" {
    for_each = {
      "/etc/cron.hourly"  = "2.4.1.3"
      "/etc/cron.daily"   = "2.4.1.4"
      "/etc/cron.weekly"  = "2.4.1.5"
      "/etc/cron.monthly" = "2.4.1.6"
      "/etc/cron.d"       = "2.4.1.7"
    }
    title    = "Only root may look into ${each.key}"
    severity = "medium"
    path     = each.key
    owner    = "root"
    group    = "root"
    mode     = "0700"
    when     = contains(keys(fact.packages), "cron")
    controls = ["cis_debian12:${each.value}"]
  }

  # 3: the network.
  check "service" "bluetooth" {
    title    = "Bluetooth is off"
    severity = "low"
    name     = "bluetooth"
    running  = false
    enabled  = false
    controls = ["cis_debian12:3.1.3"]
  }

  check "sysctl" "network" {
    for_each = {
      "net.ipv4.ip_forward"                        = { control = "3.3.1", one_of = ["0"] }
      "net.ipv6.conf.all.forwarding"               = { control = "3.3.1", one_of = ["0"] }
      "net.ipv4.conf.all.send_redirects"           = { control = "3.3.2", one_of = ["0"] }
      "net.ipv4.conf.default.send_redirects"       = { control = "3.3.2", one_of = ["0"] }
      "net.ipv4.icmp_ignore_bogus_error_responses" = { control = "3.3.3", one_of = ["1"] }
      "net.ipv4.icmp_echo_ignore_broadcasts"       = { control = "3.3.4", one_of = ["1"] }
      "net.ipv4.conf.all.accept_redirects"         = { control = "3.3.5", one_of = ["0"] }
      "net.ipv4.conf.default.accept_redirects"     = { control = "3.3.5", one_of = ["0"] }
      "net.ipv6.conf.all.accept_redirects"         = { control = "3.3.5", one_of = ["0"] }
      "net.ipv6.conf.default.accept_redirects"     = { control = "3.3.5", one_of = ["0"] }
      "net.ipv4.conf.all.secure_redirects"         = { control = "3.3.6", one_of = ["0"] }
      "net.ipv4.conf.default.secure_redirects"     = { control = "3.3.6", one_of = ["0"] }
      "net.ipv4.conf.all.rp_filter"                = { control = "3.3.7", one_of = ["1", "2"] }
      "net.ipv4.conf.default.rp_filter"            = { control = "3.3.7", one_of = ["1", "2"] }
      "net.ipv4.conf.all.accept_source_route"      = { control = "3.3.8", one_of = ["0"] }
      "net.ipv4.conf.default.accept_source_route"  = { control = "3.3.8", one_of = ["0"] }
      "net.ipv6.conf.all.accept_source_route"      = { control = "3.3.8", one_of = ["0"] }
      "net.ipv6.conf.default.accept_source_route"  = { control = "3.3.8", one_of = ["0"] }
      "net.ipv4.conf.all.log_martians"             = { control = "3.3.9", one_of = ["1"] }
      "net.ipv4.conf.default.log_martians"         = { control = "3.3.9", one_of = ["1"] }
      "net.ipv4.tcp_syncookies"                    = { control = "3.3.10", one_of = ["1"] }
      "net.ipv6.conf.all.accept_ra"                = { control = "3.3.11", one_of = ["0"] }
      "net.ipv6.conf.default.accept_ra"            = { control = "3.3.11", one_of = ["0"] }
    }
    title              = "${each.key} is ${join(" or ", each.value.one_of)}"
    severity           = "medium"
    key                = each.key
    one_of             = each.value.one_of
    persist            = false
    ignore_unsupported = true
    controls           = ["cis_debian12:${each.value.control}"]
  }

  # 5.1: the SSH server, judged by what sshd itself says is in force.
  check "file_content" "sshd_config" {
    title    = "Only root may read the SSH server's configuration"
    severity = "medium"
    path     = "/etc/ssh/sshd_config"
    owner    = "root"
    group    = "root"
    max_mode = "0600"
    when     = contains(keys(fact.packages), "openssh-server")
    controls = ["cis_debian12:5.1.1"]
  }

  check "file_content" "ssh_private_keys" {
    title      = "Only root may read the SSH host keys"
    severity   = "high"
    path       = "/etc/ssh/ssh_host_*_key"
    must_exist = false
    owner      = "root"
    max_mode   = "0600"
    when       = contains(keys(fact.packages), "openssh-server")
    controls   = ["cis_debian12:5.1.2"]
  }

  check "file_content" "ssh_public_keys" {
    title      = "Only root may change the SSH host keys' public halves"
    severity   = "medium"
    path       = "/etc/ssh/ssh_host_*_key.pub"
    must_exist = false
    owner      = "root"
    max_mode   = "0644"
    when       = contains(keys(fact.packages), "openssh-server")
    controls   = ["cis_debian12:5.1.3"]
  }

  check "sshd_directive" "at_most" {
    for_each = {
      ClientAliveInterval = { control = "5.1.7", min = 1, max = 300 }
      LoginGraceTime      = { control = "5.1.13", min = 1, max = 60 }
      MaxAuthTries        = { control = "5.1.16", min = 1, max = 4 }
      MaxSessions         = { control = "5.1.17", min = 1, max = 10 }
    }
    title    = "${each.key} is ${each.value.min} to ${each.value.max}"
    severity = "medium"
    keyword  = each.key
    min      = each.value.min
    max      = each.value.max
    when     = contains(keys(fact.packages), "openssh-server")
    controls = ["cis_debian12:${each.value.control}"]
  }

  check "sshd_directive" "one_of" {
    for_each = {
      HostbasedAuthentication = { control = "5.1.10", one_of = ["no"] }
      IgnoreRhosts            = { control = "5.1.11", one_of = ["yes"] }
      LogLevel                = { control = "5.1.14", one_of = ["INFO", "VERBOSE"] }
      PermitEmptyPasswords    = { control = "5.1.19", one_of = ["no"] }
      PermitRootLogin         = { control = "5.1.20", one_of = ["no"] }
      PermitUserEnvironment   = { control = "5.1.21", one_of = ["no"] }
      UsePAM                  = { control = "5.1.22", one_of = ["yes"] }
    }
    title    = "${each.key} is ${join(" or ", each.value.one_of)}"
    severity = "high"
    keyword  = each.key
    one_of   = each.value.one_of
    when     = contains(keys(fact.packages), "openssh-server")
    controls = ["cis_debian12:${each.value.control}"]
  }

  check "sshd_directive" "algorithms" {
    for_each = {
      Ciphers = {
        control   = "5.1.6"
        forbidden = ["3des-cbc", "aes128-cbc", "aes192-cbc", "aes256-cbc", "arcfour", "arcfour128", "arcfour256", "blowfish-cbc", "cast128-cbc"]
      }
      KexAlgorithms = {
        control   = "5.1.12"
        forbidden = ["diffie-hellman-group1-sha1", "diffie-hellman-group14-sha1", "diffie-hellman-group-exchange-sha1"]
      }
      MACs = {
        control   = "5.1.15"
        forbidden = ["hmac-md5", "hmac-md5-96", "hmac-sha1", "hmac-sha1-96", "umac-64@openssh.com", "hmac-md5-etm@openssh.com", "hmac-md5-96-etm@openssh.com", "hmac-sha1-etm@openssh.com", "hmac-sha1-96-etm@openssh.com", "umac-64-etm@openssh.com"]
      }
    }
    title     = "${each.key} offers nothing weak"
    severity  = "high"
    keyword   = each.key
    forbidden = each.value.forbidden
    when      = contains(keys(fact.packages), "openssh-server")
    controls  = ["cis_debian12:${each.value.control}"]
  }

  # 5.2: sudo.
  check "package" "sudo" {
    title    = "sudo is installed"
    severity = "low"
    name     = "sudo"
    state    = "present"
    controls = ["cis_debian12:5.2.1"]
  }

  # 6.1.1: the journal.
  check "service" "journald" {
    title    = "The journal is kept"
    severity = "medium"
    name     = "systemd-journald"
    running  = true
    controls = ["cis_debian12:6.1.1.1"]
  }

  # 7.1: the files that say who may log in.
  check "file_content" "accounts" {
    for_each = {
      "/etc/passwd"               = { control = "7.1.1", mode = "0644", must = true }
      "/etc/passwd-"              = { control = "7.1.2", mode = "0644", must = false }
      "/etc/group"                = { control = "7.1.3", mode = "0644", must = true }
      "/etc/group-"               = { control = "7.1.4", mode = "0644", must = false }
      "/etc/shadow"               = { control = "7.1.5", mode = "0640", must = true }
      "/etc/shadow-"              = { control = "7.1.6", mode = "0640", must = false }
      "/etc/gshadow"              = { control = "7.1.7", mode = "0640", must = true }
      "/etc/gshadow-"             = { control = "7.1.8", mode = "0640", must = false }
      "/etc/shells"               = { control = "7.1.9", mode = "0644", must = false }
      "/etc/security/opasswd"     = { control = "7.1.10", mode = "0600", must = false }
      "/etc/security/opasswd.old" = { control = "7.1.10", mode = "0600", must = false }
    }
    title      = "${each.key} belongs to root and has mode ${each.value.mode} or stricter"
    severity   = "high"
    path       = each.key
    must_exist = each.value.must
    owner      = "root"
    max_mode   = each.value.mode
    controls   = ["cis_debian12:${each.value.control}"]
  }

  # 7.2: accounts.
  check "file_content" "passwords_shadowed" {
    title          = "Every password is in /etc/shadow"
    severity       = "critical"
    path           = "/etc/passwd"
    must_not_match = "^[^:]*:[^x:]"
    controls       = ["cis_debian12:7.2.1"]
  }

  check "file_content" "no_empty_password" {
    title          = "No account has an empty password"
    severity       = "critical"
    path           = "/etc/shadow"
    must_not_match = "^[^:]+::"
    controls       = ["cis_debian12:7.2.2"]
  }

  check "file_content" "shadow_group" {
    title          = "Nobody is a member of the group shadow"
    severity       = "high"
    path           = "/etc/group"
    must_not_match = "^shadow:[^:]*:[^:]*:[^:\\n]+"
    controls       = ["cis_debian12:7.2.4"]
  }
}
