// Builds the dashboard:  node build.mjs FOLDER  writes index.html, dashboard.js and dashboard.css there.
//                        node build.mjs --tests FOLDER  writes tests.mjs there, for `node --test`.
import { build } from "esbuild";
import { copyFile, mkdir } from "node:fs/promises";
import { join } from "node:path";

const tests = process.argv[2] === "--tests";
const folder = process.argv[tests ? 3 : 2] ?? "obj";
await mkdir(folder, { recursive: true });
if (tests)
  await build({
    entryPoints: ["tests/all.ts"],
    outfile: join(folder, "tests.mjs"),
    bundle: true,
    platform: "node",
    format: "esm",
  });
else {
  await build({
    entryPoints: { dashboard: "src/main.tsx" },
    outdir: folder,
    bundle: true,
    minify: true,
    format: "esm",
    target: ["chrome109", "firefox115", "safari16"],
    legalComments: "eof",
    logLevel: "warning",
  });
  await copyFile("index.html", join(folder, "index.html"));
}
