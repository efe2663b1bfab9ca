export default async function Page({ params }) {
  const { id } = await params;
  return <p>the page of {id}</p>;
}
