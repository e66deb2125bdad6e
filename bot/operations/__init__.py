"""What who operates the bot needs: signals, health, status and restarts.

To read it: `overview` (what is known of the running bot), `readiness`, `metrics`, `live`, `check_up`, `controls` and
`address`, which serves them over HTTP, and `top`, which shows them at a terminal; `signals` (what each signal does),
`health` and `notify` (systemd's watchdog), `status` (the line that SIGUSR1 logs), `reexec` (replacing a process that
can't go on), `garbage_collection`; `bench`, `purge` and `reload_report` (the commands).
"""
