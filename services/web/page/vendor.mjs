// Copies what the page uses of its npm packages to static/vendor; with --check says whether that is still the same.

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const vendor = join(here, "static", "vendor");
const files = {
  "leaflet/leaflet.js": "leaflet/dist/leaflet.js",
  "leaflet/leaflet.css": "leaflet/dist/leaflet.css",
  "leaflet/LICENSE": "leaflet/LICENSE",
};
// The maps of the source and the pictures of controls that the page doesn't use are left out.
const trimmed = (text) => text.replace(/\n?\/\/# sourceMappingURL=.*\n?$/, "\n");

const sums = [];
let wrong = 0;
for (const [target, source] of Object.entries(files)) {
  const content = trimmed(readFileSync(join(here, "node_modules", source), "utf8"));
  sums.push(`${createHash("sha256").update(content).digest("hex")}  ${target}`);
  const path = join(vendor, target);
  if (process.argv.includes("--check")) {
    if (readFileSync(path, "utf8") !== content) {
      console.error(`${target} differs from ${source} of the npm package`);
      wrong += 1;
    }
  } else {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }
}
const list = sums.join("\n") + "\n";
if (process.argv.includes("--check")) {
  if (readFileSync(join(vendor, "SHA256SUMS"), "utf8") !== list) {
    console.error("SHA256SUMS does not list these files");
    wrong += 1;
  }
} else {
  writeFileSync(join(vendor, "SHA256SUMS"), list);
}
process.exit(wrong ? 1 : 0);
