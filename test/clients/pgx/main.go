// Reads the key `uri` of each of the connection Secrets that are mounted below a folder with net/url and with pgx, and logs in with it.
package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
)

// A line for each way: the Secret's folder, the way, `ok` or `error`, and in base64 what it gave.
func say(secret, way, text string, err error) {
	result := "ok"
	if err != nil {
		result, text = "error", err.Error()
	}
	fmt.Printf("%s\t%s\t%s\t%s\n", secret, way, result, base64.StdEncoding.EncodeToString([]byte(text)))
}

func login(config *pgx.ConnConfig) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	connection, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return "", err
	}
	defer connection.Close(ctx)
	var text string
	err = connection.QueryRow(ctx, "SELECT current_user || ' in ' || current_database()").Scan(&text)
	return text, err
}

func main() {
	secrets, err := os.ReadDir(os.Args[1])
	if err != nil {
		panic(err)
	}
	for _, secret := range secrets {
		uri, err := os.ReadFile(filepath.Join(os.Args[1], secret.Name(), "uri"))
		if err != nil {
			panic(err)
		}
		if parsed, err := url.Parse(string(uri)); err != nil {
			say(secret.Name(), "net/url", "", err)
		} else {
			password, _ := parsed.User.Password()
			say(secret.Name(), "net/url", parsed.User.Username()+"\x00"+password+"\x00"+parsed.Path, nil)
		}
		config, err := pgx.ParseConfig(string(uri))
		if err != nil {
			say(secret.Name(), "pgx.ParseConfig", "", err)
			continue
		}
		say(secret.Name(), "pgx.ParseConfig", config.User+"\x00"+config.Password+"\x00/"+config.Database, nil)
		text, err := login(config)
		say(secret.Name(), "pgx", text, err)
	}
}
