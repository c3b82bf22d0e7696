policy "base" {
  resource "file" "motd" {
    path     = "/etc/motd"
    controls = ["cis_debian12:1.6.1"]
  }
  resource "file" "many" {
    for_each = toset(["a", "b"])
    path     = "/etc/${each.key}"
  }
}

waiver "fine" {
  controls  = ["cis_debian12:1.6.1"]
  resources = [policy.base.file.motd, policy.base.file.many["a"]]
  reason    = "Until the new banner is there"
  from      = "2026-01-01T00:00:00Z"
  expires   = "2026-12-31T00:00:00Z"
}

waiver "fine" { # ERROR: Duplicate declaration; declared at waivers.hcl:12
  controls = ["cis_debian12:1.6.1"]
  reason   = "Twice"
  expires  = "2026-12-31T00:00:00Z"
}

waiver "endless" { # ERROR: Incomplete waiver; when it ends
  controls = ["cis_debian12:1.6.1"]
  reason   = "For ever"
}

waiver "no_reason" { # ERROR: Incomplete waiver; why it was granted
  controls = ["cis_debian12:1.6.1"]
  expires  = "2026-12-31T00:00:00Z"
}

waiver "nothing" { # ERROR: Waiver of nothing; Name what it is for
  reason  = "Nothing"
  expires = "2026-12-31T00:00:00Z"
}

waiver "long" {
  controls = ["cis_debian12:1.6.1"]
  reason   = "Long"
  from     = "2026-01-01T00:00:00Z"
  expires  = "2027-01-02T00:00:00Z" # ERROR: Waiver too long; 365 days
}

waiver "backwards" {
  controls = ["cis_debian12:1.6.1"]
  reason   = "Backwards"
  from     = "2026-01-01T00:00:00Z"
  expires  = "2025-01-02T00:00:00Z" # ERROR: Unusable waiver; ends before it begins
}

waiver "no_zone" {
  controls = ["cis_debian12:1.6.1"]
  reason   = "In whose time?"
  expires  = "2026-12-31T00:00:00" # ERROR: Unusable time; date, time and zone
}

waiver "typos" {
  controls    = [
    "cis_debian12:1.6.2",       # ERROR: Unknown control; Did you mean
    "cis",                      # ERROR: Unusable control; does not name a control
  ]
  resources   = [
    policy.base.file.mtod,      # ERROR: Unknown resource; Did you mean policy.base.file.motd?
    file.motd,                  # ERROR: Unknown resource; with its policy: policy.NAME.file.motd. Did you mean policy.base.file.motd?
    policy.base.file.motd["a"], # ERROR: Unknown instance; Take the key out
    "policy.base.file.motd",    # ERROR: Unusable reference; without quotes
  ]
  applies_to  = group.webs      # ERROR: Unknown group
  effect      = "ignore"        # ERROR: Unknown word; audit, skip
  risk        = "huge"          # ERROR: Unknown word; critical, high, medium, low
  approved_by = [var.who]       # ERROR: Constant wanted
  reason      = "Typos"
  expires     = "2026-12-31T00:00:00Z"
  because     = "x"             # ERROR: Unsupported argument
}
