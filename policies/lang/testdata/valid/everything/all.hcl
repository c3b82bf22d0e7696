plumb {
  required_version = ">= 0.9, < 2.0"
}

variable "limits" {
  description = "Objects may have defaults within."
  type = map(object({
    max = number
    min = optional(number, 1)
  }))
  default = {
    a = { max = 4 }
  }
  nullable = false
}

variable "token" {
  type      = string
  default   = "hunter2"
  sensitive = true
}

locals {
  heredoc = <<-E
    %{~for k, v in var.limits}
    ${k} = ${v.min}..${v.max}
    %{endfor~}
  E
  by_row  = { for name, version in fact.packages : substr(name, 0, 1) => version... }
  splat   = [for one in [{ a = 1 }, { a = 2 }] : one][*].a
  chosen  = fact.os.family == "debian" ? "apt" : "dnf"
  rack    = try(fact.custom.rack.row, "unknown")
  has_v4  = anytrue([for a in flatten(values(fact.interfaces)) : can(cidrnetmask(a))])
}

group "site_share" {
  sample {
    of      = host.labels.site == "north"
    percent = 50
    per     = host.labels.site
  }
}

policy "one" {
  resource "file" "list" {
    path    = "/etc/list"
    content = local.heredoc
    before  = [policy.two.directory.each["a b"]]
  }
  resource "file" "token" {
    path    = "/etc/token-${local.rack}"
    content = "${local.chosen} ${local.has_v4} ${join(",", local.splat)} ${var.token}"
    mode    = "0600"
  }
}

policy "two" {
  applies_to = !group.site_share || group.site_share
  priority   = 5

  resource "directory" "each" {
    for_each   = toset(["a b", "c"])
    path       = "/srv/${each.value}"
    depends_on = [directory.one[0], policy.one.file.token]
  }
  resource "directory" "linked" {
    for_each   = toset(["a b", "c"])
    path       = "/srv/${each.value}/linked"
    depends_on = [directory.each[each.key]]
  }
  resource "directory" "one" {
    count = length(keys(local.by_row)) > 0 ? 1 : 0
    path  = "/srv/${count.index}"
  }
}

window "after_patch_tuesday" {
  rrule    = "FREQ=MONTHLY;BYDAY=2TU"
  start    = "22:00"
  duration = "5h"
  cutoff   = "1h"
  timezone = "host"
  offset   = "7d"
  classes  = ["config", "package", "reboot"]
  from     = "2026-01-01T00:00:00Z"
  until    = "2036-01-01T00:00:00Z"
}

window "weeknights" {
  cron     = "30 22 * * 1-5"
  duration = "2h"
  timezone = "Australia/Lord_Howe"
}

freeze "year_end" {
  from    = "2026-12-18T00:00:00+01:00"
  until   = "2027-01-04T06:00:00+01:00"
  groups  = [host.name == "web1", false]
  classes = ["config"]
  allow   = ["emergency"]
  reason  = "Year-end closing"
}

policy "in_windows" {
  resource "directory" "later" {
    path   = "/srv/later"
    window = [window.after_patch_tuesday, window.weeknights]
  }
}
