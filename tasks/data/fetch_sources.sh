#!/bin/sh
# Downloads the pinned packages that the embedded suite is built from into one folder.
#
#   tasks/data/fetch_sources.sh FOLDER
#
# Debian packages (photographs, Debian 12) are unpacked under FOLDER/debian, npm packages (emoji
# art, CLDR names) under FOLDER/npm/node_modules. The Python packages (scikit-image, scikit-learn,
# fonts, tables) are not fetched here: `pip install 'vlmbench-ja[build]'` installs them.
set -eu

if [ $# -ne 1 ]; then
    echo "usage: $0 FOLDER" >&2
    exit 2
fi
for tool in apt-get dpkg npm; do
    if ! command -v "$tool" >/dev/null; then
        echo "$0: $tool is not installed; run this on Debian 12 with Node.js." >&2
        exit 2
    fi
done
mkdir -p "$1/archives" "$1/debian" "$1/npm"
folder=$(cd "$1" && pwd)

(
    cd "$folder/archives"
    for package in gcompris-qt-data=3.1-2 lomiri-wallpapers-16.04=20.04.0-2; do
        apt-get download "$package"
        dpkg -x "${package%%=*}"_*.deb "$folder/debian"
    done
)

# The packages hold data only, so nothing of theirs needs to run.
npm install --prefix "$folder/npm" --no-save --ignore-scripts --no-audit --no-fund \
    @iconify-json/noto@1.2.9 \
    @iconify-json/noto-v1@1.2.5 \
    @iconify-json/twemoji@1.2.5 \
    @iconify-json/fluent-emoji-flat@1.2.6 \
    @iconify-json/fluent-emoji@1.2.7 \
    @iconify-json/emojione@1.2.3 \
    @iconify-json/fxemoji@1.2.2 \
    cldr-annotations-full@48.2.0

echo "The sources are in $folder."
