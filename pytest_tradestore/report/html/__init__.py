"""The HTML report in parts: each module answers for one part of the page; ``report.html_report`` puts them together."""
