#!/bin/sh
# Documents name what is there: every relative link of every page, and every file of the tree that a page names in
# backquotes. Every room has a README.
set -u
bad=0
pages=$(find . -name '*.md' -not -path './build*' -not -path './.git/*' | sed 's|^\./||' | sort)
for page in $pages; do
  folder=$(dirname "$page")
  for link in $(grep -oE '\]\([^) ]+\)' "$page" | sed -E 's/^\]\(//; s/\)$//; s/#.*//' | sort -u); do
    case $link in '' | *://* | mailto:*) continue ;; esac
    [ -e "$folder/$link" ] || { echo "$page: the link $link leads nowhere"; bad=1; }
  done
  case $page in CHANGELOG.md | docs/measured/* | tests/samples/*) continue ;; esac # these speak of other days
  for file in $(grep -oE '`(engine|wal|oltp|columnar|invidx|hnsw|pipeline|tests|bench|papers|docs)/[A-Za-z0-9_./-]+\.(c|h|md|sh|mk|json|py|gp|awk)`' "$page" | grep -vE '(NAME|PEER|ROOM)' |
    tr -d '`' | sort -u); do
    [ -e "$file" ] || { echo "$page: there is no $file"; bad=1; }
  done
done
for room in engine wal oltp columnar invidx hnsw pipeline bench papers docs docs/howto docs/labs; do
  [ -f "$room/README.md" ] || { echo "$room/ has no README.md"; bad=1; }
done
for page in README.md CONTRIBUTING.md CHANGELOG.md SECURITY.md LICENSE; do
  [ -f "$page" ] || { echo "there is no $page"; bad=1; }
done
strays=$(find engine wal oltp columnar invidx hnsw pipeline tests bench papers docs -iname '*READ-ME*' -o -iname '*TODO*' -o -iname '*HANDOVER*' -o -iname '*NOTES-FROM*')
[ -z "$strays" ] || { echo "notes that strayed into the tree: $strays"; bad=1; }
[ $bad -eq 0 ] && echo "$(echo "$pages" | wc -l) pages: every link and every file they name is there"
exit $bad
