// The official OpenAI client for Node, with Zod schemas.
import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";
import { apiKey, baseURL, check, main, model, refused } from "./harness.mjs";

const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const messages = [{ role: "user", content: "Hello" }];
const ask = (more = {}) =>
  client.chat.completions.create({ model, messages, max_tokens: 16, ...more });
const Answer = z.object({ city: z.enum(["Berlin", "Shanghai"]), warm: z.boolean() });
const tool = (schema) => ({
  type: "function",
  function: { name: "save", strict: true, parameters: z.toJSONSchema(schema) },
});

await main("openai (Node)", {
  async whole() {
    check((await ask()).choices[0].message.content);
  },
  async streamed() {
    let text = "";
    const stream = await ask({ stream: true, stream_options: { include_usage: true } });
    for await (const chunk of stream) text += chunk.choices[0]?.delta?.content ?? "";
    check(text);
  },
  async parsed() {
    const done = await client.chat.completions.parse({
      model,
      messages,
      max_tokens: 512,
      response_format: zodResponseFormat(Answer, "answer"),
    });
    check(done.choices[0].message.parsed.city);
  },
  async parsed_is_sent_back() {
    const done = await client.chat.completions.parse({
      model,
      messages,
      max_tokens: 512,
      response_format: zodResponseFormat(Answer, "answer"),
    });
    check(await ask({ messages: [...messages, done.choices[0].message, ...messages] }));
  },
  async patterns_of_zod_in_tools() {
    const schema = z.object({ mail: z.email(), of: z.uuid(), at: z.iso.datetime() });
    check(await ask({ tools: [tool(schema)], tool_choice: "auto" }));
  },
  async a_pattern_in_a_forced_call() {
    const schema = z.object({ code: z.string().regex(/^[A-Z]{2}-\d{2}$/) });
    check(await ask({ tools: [tool(schema)], tool_choice: "required", max_tokens: 512 }));
  },
  async an_uuid_in_an_answer() {
    const schema = z.object({ of: z.uuid() });
    const form = zodResponseFormat(schema, "of");
    check(await ask({ response_format: form, max_tokens: 96 }));
  },
  async a_call_and_its_result() {
    const said = (
      await ask({ tools: [tool(Answer)], tool_choice: "required", max_tokens: 512 })
    ).choices[0].message;
    const result = { role: "tool", tool_call_id: said.tool_calls[0].id, content: "kept" };
    check(await ask({ tools: [tool(Answer)], messages: [...messages, said, result] }));
  },
  async undefined_and_null() {
    check(await ask({ stop: null, seed: undefined, tools: null }));
  },
  async one_model() {
    check((await client.models.retrieve(model)).id === model);
  },
  async responses_name_what_to_use() {
    await refused("/v1/chat/completions", () => client.responses.create({ model, input: "x" }));
  },
});
