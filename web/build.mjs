// Bundles the pages into static/ beside their servers, where those and the wheel find them.
import { build } from "esbuild";
import { copyFile, mkdir, rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const sources = fileURLToPath(new URL("src/", import.meta.url));

await bundle("faceveil-review.ts", "index.html", "review");
await bundle("live/faceveil-live.ts", "live/index.html", "live");

async function bundle(script, page, part) {
  const target = fileURLToPath(new URL(`../faceveil/${part}/static/`, import.meta.url));
  await rm(target, { recursive: true, force: true });
  await mkdir(target, { recursive: true });
  await build({
    entryPoints: [sources + script],
    outdir: target,
    bundle: true,
    format: "esm",
    target: ["es2022"],
    minify: true,
    sourcemap: false,
    legalComments: "eof", // Lit's licence asks that its notice stays
    logLevel: "warning",
  });
  for (const name of ["favicon.svg", "page.css"]) await copyFile(sources + name, target + name);
  await copyFile(sources + page, `${target}index.html`);
}
