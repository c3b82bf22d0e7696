# Which updates are fine for our hosts, and after how long. Nothing is installed by this file
# alone: "plumb patch status" shows what it makes of what hosts are offered. rollout.hcl, next
# to it, shows how updates are taken to hosts.

patch_baseline "security" {
  title      = "Security updates of the distribution"
  applies_to = group.debian

  # One of the sources has to match. Codenames stay what they are; "stable" does not.
  source {
    origin   = "Debian"
    label    = "Debian-Security"
    codename = "${try(fact.os.codename, "none")}-security"
  }
  source {
    origin = "Ubuntu"
    suite  = "${try(fact.os.codename, "none")}-security"
  }

  # What is bad at once, the rest when it has been out for two days.
  approve {
    classification = ["security"]
    severity       = ["critical", "high"]
  }
  approve {
    classification = ["security"]
    after          = "2d"
  }
}

# How fast updates have to be in, counted from when we knew of the advisory.
patch_sla "standard" {
  applies_to = group.debian
  within     = { critical = "7d", high = "14d" }
  exploited  = "3d"
}
