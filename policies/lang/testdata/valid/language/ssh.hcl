# The first example of the language's page, without what this version does not know yet.

variable "ssh_allow_groups" {
  default = ["wheel"]
}

policy "ssh_baseline" {
  title      = "OpenSSH server baseline"
  version    = "1.4.0"
  applies_to = group.linux_servers
  when       = contains(keys(fact.packages), "openssh-server")
  mode       = "enforce"

  resource "file" "dropin" {
    path         = "/etc/ssh/sshd_config.d/10-baseline.conf"
    owner        = "root"
    mode         = "0600"
    content      = templatefile("${path.module}/sshd.conf.tmpl", { groups = var.ssh_allow_groups })
    validate_cmd = ["/usr/sbin/sshd", "-t", "-f", "%"]
    notify       = [service.ssh]
  }

  # Checked with `sshd -T`, so drop-ins, Match blocks and letter case do not fool it.
  resource "sshd_directive" "limits" {
    for_each = {
      MaxAuthTries   = { max = 4, controls = ["cis_debian12:5.1.16"] }
      MaxSessions    = { max = 10, controls = ["cis_debian12:5.1.17"] }
      LoginGraceTime = { max = 60, min = 1, controls = ["cis_debian12:5.1.13"] }
    }
    keyword  = each.key
    max      = each.value.max
    min      = try(each.value.min, 0)
    controls = each.value.controls
    notify   = [service.ssh]
  }

  resource "service" "ssh" {
    running   = true
    enabled   = true
    on_notify = "reload"
  }

  check "command" "no_weak_host_keys" {
    command        = ["sh", "-c", "for f in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf $f; done"]
    must_not_match = "\\(DSA\\)|^1024 "
    controls       = ["cis_debian12:5.1.2"]
    timeout        = "5s"
  }
}

group "linux_servers" { match = fact.os.kernel == "linux" && fact.chassis != "laptop" }

group "canary" {
  sample {
    of      = group.linux_servers
    percent = 5
    seed    = "rings-v1"
  }
}

waiver "db_sessions" {
  controls    = ["cis_debian12:5.1.16"]
  applies_to  = group.linux_servers
  effect      = "audit"
  reason      = "Vendor appliance opens many sessions until v9."
  risk        = "medium"
  ticket      = "CHG-10442"
  approved_by = ["ciso@example.org"]
  expires     = "2027-02-28T23:59:59Z"
}
