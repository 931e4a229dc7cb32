/* socket: to come */
#include "farside.h"

void far_open_socket(lua_State *L) {
  (void)L;
}
