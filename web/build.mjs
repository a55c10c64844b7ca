// Bundles the page into faceveil/review/static/, where the server and the wheel find it.
import { build } from "esbuild";
import { copyFile, mkdir, rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const sources = fileURLToPath(new URL("src/", import.meta.url));
const target = fileURLToPath(new URL("../faceveil/review/static/", import.meta.url));

await rm(target, { recursive: true, force: true });
await mkdir(target, { recursive: true });
await build({
  entryPoints: [`${sources}faceveil-review.ts`],
  outdir: target,
  bundle: true,
  format: "esm",
  target: ["es2022"],
  minify: true,
  sourcemap: false,
  legalComments: "eof", // Lit's licence asks that its notice stays
  logLevel: "warning",
});
for (const name of ["favicon.svg", "page.css", "index.html"])
  await copyFile(sources + name, target + name);
