import { Checker, Client } from "@wardkeeper/pep";

const handlers = {
  notification: {
    after: ({ id }) => {
      console.log(`done ${id}`);
    },
  },
};

export const checker = new Checker({
  decider: new Client({ url: process.env.PDP_URL, timeout: 60_000 }),
  routes: "routes.yaml",
  handlers,
});
