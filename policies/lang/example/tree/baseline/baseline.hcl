# A first policy: small things that every host should have.

policy "baseline" {
  title      = "What every host has"
  version    = "1.0.0"
  applies_to = group.linux

  resource "file" "motd" {
    title = "Message of the day"
    path  = "/etc/motd"
    owner = "root"
    group = "root"
    mode  = "0644"

    # path.module is the folder of this file.
    content = templatefile("${path.module}/motd.tmpl", {
      name    = host.name
      os      = local.os_name
      contact = var.contact
    })
  }

  # One block, several resources. Each gets an address of its own, such as
  # policy.baseline.sysctl.network["net.ipv4.tcp_syncookies"].
  resource "sysctl" "network" {
    for_each = {
      "net.ipv4.tcp_syncookies"            = "1"
      "net.ipv4.conf.all.accept_redirects" = "0"
      "net.ipv4.conf.all.log_martians"     = "1"
      "net.ipv4.conf.default.rp_filter"    = "1"
    }
    key   = each.key
    value = each.value
    mode  = "audit" # only measured; take this line out to have it mended
    when  = try(fact.chassis, "") != "container"
  }

  check "file_content" "no_empty_passwords" {
    title          = "Nobody has an empty password"
    path           = "/etc/shadow"
    must_not_match = "^[^:]+::"
    max_mode       = "0640"
    severity       = "high"
  }
}
