// Compares two schema files with graphql-inspector and prints the changes as JSON: [{path, message, level}], the level
// being BREAKING, DANGEROUS or NON_BREAKING.
import { readFileSync } from "node:fs";
import { diff } from "@graphql-inspector/core";
import { buildSchema } from "graphql";

const [before, after] = process.argv.slice(2).map((path) => buildSchema(readFileSync(path, "utf8")));
const changes = await diff(before, after);
process.stdout.write(
  JSON.stringify(changes.map(({ path, message, criticality }) => ({ path, message, level: criticality.level }))),
);
