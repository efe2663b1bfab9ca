package membership
import ("testing";"context";"os";"time";"fmt";"github.com/wardkeeper/wardkeeper/pdp";"github.com/stretchr/testify/require")
func TestZ(t *testing.T){
 ctx:=context.Background()
 p,err:=OpenPostgres(ctx,PostgresConfig{URL:"postgres://wk@127.0.0.1:54991/postgres?sslmode=disable"}); require.NoError(t,err)
 require.NoError(t,p.Check(ctx))
 q:=p.queries.Load()
 os.WriteFile("/tmp/list.sql",[]byte(q.lists[listShape{sort:pdp.SortName}]),0o644)
 os.WriteFile("/tmp/listf.sql",[]byte(q.lists[listShape{sort:pdp.SortName,filtered:true}]),0o644)
 tm:=func(name string,f func() any){ var d []time.Duration; var r any; for range 8 {s:=time.Now(); r=f(); d=append(d,time.Since(s).Round(100*time.Microsecond))}; fmt.Println(name,d,r)}
 tm("user",func() any{u,err:=p.User(ctx,"u77"); require.NoError(t,err); return string(u.Record)})
 tm("name",func() any{u,err:=p.UserByUsername(ctx,"USER78@example.ORG"); require.NoError(t,err); return string(u[0].Record)})
 tm("org",func() any{u,err:=p.Organization(ctx,"facility-3"); require.NoError(t,err); return len(u.Record)})
 for _,b:=range []string{"facility-7","division-3","metro",""}{ for _,s:=range sortKeys { for _,desc:=range []bool{false,true}{
  tm(fmt.Sprint("list ",b,s,desc),func() any{u,err:=p.Users(ctx,pdp.UserQuery{Beneath:b,Sort:s,Descending:desc,Limit:100,After:pdp.Cursor{ID:"u7"}}); require.NoError(t,err); return len(u.Users)})
 }
  tm(fmt.Sprint("text ",b,s),func() any{u,err:=p.Users(ctx,pdp.UserQuery{Beneath:b,Sort:s,Limit:100,Text:"nobody has"}); require.NoError(t,err); return len(u.Users)})
 }}
}
