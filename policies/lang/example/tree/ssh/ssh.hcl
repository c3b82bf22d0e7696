# A baseline for the OpenSSH server. It begins in audit mode: nothing changes until you say
# mode = "enforce", but the report shows what would.

policy "ssh" {
  title      = "OpenSSH server baseline"
  version    = "1.0.0"
  applies_to = group.linux

  # Hosts without the server are not applicable, which counts neither for nor against them.
  when     = contains(keys(fact.packages), "openssh-server")
  mode     = "audit"
  severity = "medium"

  resource "file" "dropin" {
    path    = "/etc/ssh/sshd_config.d/10-baseline.conf"
    owner   = "root"
    group   = "root"
    mode    = "0600"
    content = templatefile("${path.module}/10-baseline.conf.tmpl", { groups = var.ssh_allow_groups })

    # New content takes the place of the old only when sshd likes it. % is a temporary file.
    validate_cmd = ["/usr/sbin/sshd", "-t", "-f", "%"]

    # When it was changed, the service is told at the end of the run. Resources are named
    # without quotes; those of other policies as policy.NAME.service.ssh.
    notify = [service.ssh]
  }

  # Judged by what sshd -T says is in force, so that drop-ins and letter case do not fool it.
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
    name      = fact.os.family == "debian" ? "ssh" : "sshd"
    running   = true
    enabled   = true
    on_notify = "reload"
  }
}
