// Writes an OpenAPI description of Discord's webhooks, from the schemas that a package makes of
// Discord's own: node discord.mjs > FILE
import * as schemas from "discord-api-spec/zod";
import * as z from "zod";

// Without the parts that hold themselves (components in components): the mock would not start.
const schema = (name, fields) => {
  const shape = Object.fromEntries(fields.map((one) => [one, schemas[name].shape[one]]));
  const { $schema, ...rest } = z.toJSONSchema(z.object(shape), { unrepresentable: "any" });
  return rest;
};
const json = (name, fields) => ({ "application/json": { schema: schema(name, fields) } });
const parameter = (name, place, type) => ({
  name,
  in: place,
  required: place === "path",
  schema: { type },
});

const WEBHOOK = ["id", "name", "type", "channel_id"];
const MESSAGE = ["id", "type", "channel_id", "content", "timestamp"];
const REQUEST = ["content", "allowed_mentions", "username", "embeds", "tts", "flags"];

const failed = { description: "Refused", content: json("ErrorSchema", ["code", "message"]) };
const errors = { "400": failed, "404": failed, "429": failed };
const path = [parameter("webhook_id", "path", "string"), parameter("webhook_token", "path", "string")];

const paths = {
  "/api/v10/webhooks/{webhook_id}/{webhook_token}": {
    parameters: path,
    get: {
      responses: {
        "200": { description: "It", content: json("GuildIncomingWebhookResponseSchema", WEBHOOK) },
        ...errors,
      },
    },
    post: {
      parameters: [parameter("wait", "query", "boolean"), parameter("thread_id", "query", "string")],
      requestBody: { content: json("IncomingWebhookRequestPartialSchema", REQUEST), required: true },
      responses: {
        "200": { description: "Sent", content: json("BasicMessageResponseSchema", MESSAGE) },
        ...errors,
      },
    },
  },
};
const info = { title: "Discord: webhooks", version: "10" };
const servers = [{ url: "/" }];
const spec = { openapi: "3.1.0", info, servers, paths };
process.stdout.write(JSON.stringify(spec));
