// Lints a schema file with graphql-eslint and prints what it finds as JSON: [{line, rule, message}].
import { readFileSync } from "node:fs";
import graphql from "@graphql-eslint/eslint-plugin";
import { ESLint } from "eslint";

const [path] = process.argv.slice(2);
const config = {
  files: ["**/*.graphql"],
  plugins: { "@graphql-eslint": graphql },
  languageOptions: { parser: graphql.parser, parserOptions: { graphQLConfig: { schema: path } } },
  rules: {
    ...graphql.configs["flat/schema-recommended"].rules,
    ...graphql.configs["flat/schema-relay"].rules,
    // A date, a figure or a page has no identity of its own. What has one implements Node, which demands its id.
    "@graphql-eslint/strict-id-in-types": "off",
    // What one partnership or city has few of, such as parties and sources, is a plain list.
    // An event is named by its city and position, an organisation by its city and id: both stay what they are.
    "@graphql-eslint/relay-edge-types": ["error", { listTypeCanWrapOnlyEdgeType: false, shouldImplementNode: false }],
  },
};
const eslint = new ESLint({ overrideConfigFile: true, overrideConfig: config });
const [result] = await eslint.lintText(readFileSync(path, "utf8"), { filePath: "schema.graphql" });
process.stdout.write(
  JSON.stringify(result.messages.map(({ line, ruleId, message }) => ({ line, rule: ruleId, message }))),
);
