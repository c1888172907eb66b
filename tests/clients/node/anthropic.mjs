// Anthropic's client for Node: its route is not served yet, and its caller reads what is.
import Anthropic from "@anthropic-ai/sdk";
import { apiKey, baseURL, main, model, refused } from "./harness.mjs";

const client = new Anthropic({ baseURL: baseURL.replace(/\/v1$/, ""), apiKey, maxRetries: 0 });
const asked = { model, max_tokens: 4, messages: [{ role: "user", content: "Hello" }] };

await main("anthropic (Node)", {
  async messages_name_what_to_use() {
    await refused("/v1/chat/completions", () => client.messages.create(asked));
  },
});
