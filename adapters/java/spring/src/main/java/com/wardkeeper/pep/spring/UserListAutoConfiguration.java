package com.wardkeeper.pep.spring;

import com.wardkeeper.pep.Client;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.context.annotation.Bean;
import org.springframework.data.domain.Window;

/** Makes the {@link UserList} of an application with Spring Data. */
@AutoConfiguration(after = WardkeeperAutoConfiguration.class)
@ConditionalOnClass(Window.class)
@ConditionalOnBean(Client.class)
public class UserListAutoConfiguration {
  /** Returns the list of users. */
  @Bean
  @ConditionalOnMissingBean
  public UserList userList(Client client) {
    return new UserList(client);
  }
}
