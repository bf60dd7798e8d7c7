"""Commands: `pillarbox`, and the drop-in exim, sendmail, mailq, newaliases, runq, rmail."""
