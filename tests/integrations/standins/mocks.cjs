// One server for all described interfaces: their paths differ. node mocks.cjs PORT SPEC…
const { createRequire } = require("node:module");

const from = createRequire(`${process.cwd()}/`);
const { createLogger } = from("@stoplight/prism-core");
const { getHttpOperationsFromSpec } = from("@stoplight/prism-http");
const { createServer } = from("@stoplight/prism-http-server");

const [port, ...specs] = process.argv.slice(2);
const main = async () => {
  const operations = await Promise.all(specs.map((one) => getHttpOperationsFromSpec(one)));
  const config = {
    isProxy: false,
    validateRequest: true,
    validateResponse: true,
    checkSecurity: true,
    errors: false,
    mock: { dynamic: false },
  };
  const logger = createLogger("mocks", { enabled: false });
  const server = createServer(operations.flat(), { cors: false, config, components: { logger } });
  await server.listen(Number(port), "127.0.0.1");
};
main();
