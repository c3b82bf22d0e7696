# How updates are taken to hosts: first to a few, then to all others. Take the number signs
# away below to let Plumb install what the baseline approves.

# window "nights" {
#   rrule    = "FREQ=DAILY"
#   start    = "01:00"
#   duration = "4h"
#   cutoff   = "1h" # nothing starts in the last hour
#   classes  = ["package", "reboot"]
# }
#
# # All hosts that are not the first to get something new.
# group "steady" {
#   match   = group.linux
#   exclude = group.canary
# }
#
# rollout "security" {
#   carries = patch_baseline.security
#
#   # Rather no update than a full disk.
#   preflight {
#     min_free = { "/" = "1GiB" }
#   }
#
#   # More than two hosts that fail stop it, until somebody has had a look.
#   failure_budget {
#     count = 2
#   }
#
#   ring "canary" {
#     group  = group.canary
#     window = [window.nights]
#     gate {
#       soak      = "24h"
#       min_hosts = 0 # a small fleet may have no host in this share of five percent
#     }
#   }
#
#   # Hosts boot by themselves when a new kernel asks for it. Whoever was off for long has two
#   # days more before that happens outside of the window.
#   ring "steady" {
#     group           = group.steady
#     window          = [window.nights]
#     reboot          = "as_needed"
#     deadline        = "14d"
#     grace           = "2d"
#     max_unavailable = "10%"
#   }
# }
