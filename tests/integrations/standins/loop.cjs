// Preloaded (node -r): servers that would listen on every network of the machine listen on loopback.
const { Server } = require("node:net");

const listen = Server.prototype.listen;
Server.prototype.listen = function (port, ...rest) {
  const isPort = typeof port === "number" || (typeof port === "string" && /^\d+$/.test(port));
  if (!isPort) return listen.call(this, port, ...rest);
  const host = typeof rest[0] === "string" ? rest.slice(1) : rest;
  return listen.call(this, Number(port), "127.0.0.1", ...host);
};
