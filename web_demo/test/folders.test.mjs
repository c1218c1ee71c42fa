// The folders of src: an import runs to a lower floor, or along its own without coming back.

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import test from "node:test";

const src = new URL("../src/", import.meta.url).pathname;
// From the ground up; "." is what lies beside the folders.
const FLOORS = [["."], ["pose", "media", "files"], ["runtime"], ["estimators", "refiners"], ["streaming", "tracking"], ["worker", "page"]];
const IMPORTED = /(?:\bfrom |\bimport |\bimport\(|\bnew URL\()"([^"]+)"/g;

const folderOf = file => path.dirname(file).split("/")[0];
const floorOf = file => FLOORS.findIndex(floor => floor.includes(folderOf(file)));
const files = fs.readdirSync(src, {recursive: true}).filter(file => file.endsWith(".js"));
const arrows = files.flatMap(from => [...fs.readFileSync(src + from, "utf8").matchAll(IMPORTED)]
  .map(([, to]) => ({from, to: path.join(path.dirname(from), to)}))
  .filter(({to}) => !to.startsWith("..") && folderOf(to) !== folderOf(from)));

const none = (found, advice) => assert.ok(!found.length, `${found.map(({from, to}) => `src/${from} imports src/${to}`).join("\n")}\n${advice}`);

test("every folder of src stands on a floor", () => {
  for (const file of files) assert.ok(floorOf(file) >= 0, `src/${file}: its folder is on no floor; add it to FLOORS in folders.test.mjs`);
  assert.ok(arrows.length > 20, `only ${arrows.length} imports between folders were found`);
});

test("no import runs up", () => {
  none(arrows.filter(({from, to}) => floorOf(to) > floorOf(from)), "This runs up to a higher floor: move what is shared down");
});

test("no circle between folders", () => {
  let left = arrows.filter(({from, to}) => floorOf(to) === floorOf(from)); // what runs down comes back only by running up
  for (let before = 0; before !== left.length;) {
    before = left.length;
    left = left.filter(({to}) => left.some(({from}) => folderOf(from) === folderOf(to)));
  }
  none(left, "These folders import each other: move what is shared to a lower floor");
});
